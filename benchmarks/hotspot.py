"""Where the time goes: a profile of one path, the dearest functions first.

    python benchmarks/hotspot.py [tell|ask|hop|fan|spawn|child|restart|durable|commit] [--lines N]

The profiler makes calls dearer than they are, so use it to rank, and `run.py` to measure. `spawn` leaves the system,
`child` stops each actor by its supervisor; `durable` is the event loop's
side of 100 actors' turns; `commit` is what the store's thread does for the same batches.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sqlite3
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import workload
from benchmarks.actor_rate import run
from benchmarks.crew import roomy, spawned, started
from benchmarks.durable_rate import observe
from benchmarks.raw_commit import claim, fresh

from choragus.mailbox.batch import apply

VOLATILE = {
    "tell": (workload.tell, roomy, workload.TELLS),
    "ask": (workload.ask, spawned, workload.ASKS),
    "hop": (workload.ping_pong, spawned, workload.HOPS),
    "fan": (workload.fan, spawned, workload.CROWD * workload.ROUNDS),
    "spawn": (workload.spawn, spawned, workload.SPAWNS),
    "child": (workload.spawn, started, workload.SPAWNS),
    "restart": (workload.restart, started, workload.RESTARTS),
}
PATHS = (*VOLATILE, "durable", "commit")


def main() -> None:
    """Read the command line, profile, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", nargs="?", default="durable", choices=PATHS)
    parser.add_argument("--lines", type=int, default=25)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="choragus-bench-") as folder:
        work = prepared(options.path, Path(folder))
        profiler = cProfile.Profile()
        profiler.runcall(work)
    if options.path in VOLATILE:
        print(f"{VOLATILE[options.path][2]:,} units of work")
    pstats.Stats(profiler).sort_stats("tottime").print_stats(options.lines)


def prepared(path: str, folder: Path) -> Callable[[], object]:
    """What to profile."""
    if path in VOLATILE:
        return lambda: run(*VOLATILE[path])
    if path == "durable":
        return lambda: asyncio.run(observe(folder / "observed.db", 100, 50))
    return commits(folder)


def commits(folder: Path) -> Callable[[], None]:
    """The commits of 100 actors' turns, in this thread."""
    batches = asyncio.run(observe(folder / "observed.db", 100, 50)).batches
    path = fresh(folder, "profiled")
    asyncio.run(claim(path, batches[-1].node))

    def work() -> None:
        connection = sqlite3.connect(path, isolation_level=None, cached_statements=256)
        for batch in batches:
            apply(connection, batch)
        connection.close()

    return work


if __name__ == "__main__":
    main()
