"""Measure choragus and print the figures, each beside what it is compared with.

    python benchmarks/run.py [--quick] [--only SECTION,...] [--folder DIR]

The sections: actors, scale, peers, durable, herd, durable-peers, example, imports, cli, approval, policies,
retrieval, telemetry, logbook, agentdojo (minutes; only where AgentDojo is installed).

Both sides of a ratio are measured in the same run, in turns; absolute figures are medians and depend on the machine and
on what else it does. On Linux `chrt -f 10 python benchmarks/run.py` gives calmer ones.
"""

from __future__ import annotations

import argparse
import logging
import os
import platform
import sqlite3
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import cast

# a script's own folder comes first on the path, but these modules are imported as `benchmarks.…` everywhere
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import (
    actor_rate,
    actor_scale,
    agent_rate,
    approval_latency,
    audit_cost,
    cli_rate,
    durable_peers,
    durable_rate,
    durable_scale,
    import_time,
    logbook_cost,
    peers,
    policy_rate,
    telemetry_rate,
)
from benchmarks.dojo import section as agentdojo
from benchmarks.figure import Section

SECTIONS = (
    "actors",
    "scale",
    "peers",
    "durable",
    "herd",
    "durable-peers",
    "example",
    "imports",
    "cli",
    "approval",
    "agentdojo",
    "policies",
    "agents",
    "retrieval",
    "logbook",
    "telemetry",
)


def main() -> None:
    """Read the command line, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument("--only", default=",".join(SECTIONS), help=f"some of {','.join(SECTIONS)}")
    parser.add_argument("--folder", type=Path, help="where databases go: a real disk (default: the system's temporary)")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = sorted(set(chosen) - set(SECTIONS))
    if unknown:
        parser.error(f"--only {unknown[0]}: choose from {','.join(SECTIONS)}")
    print(surroundings(), flush=True)
    with tempfile.TemporaryDirectory(prefix="choragus-bench-", dir=options.folder) as folder:
        # Thousands of failures are provoked; each is logged as by default, as text, but into a file.
        logging.basicConfig(filename=Path(folder) / "log", level=logging.WARNING, format="%(message)s")
        for name in SECTIONS:
            if name in chosen:
                print(f"\n{measure(name, Path(folder), options.quick)}", flush=True)


def measure(name: str, folder: Path, quick: bool) -> Section:
    """One section's figures."""
    match name:
        case "actors":
            return actor_rate.section(quick)
        case "scale":
            return actor_scale.section(folder, quick)
        case "peers":
            return peers.section(quick)
        case "durable":
            return durable_rate.section(folder, quick)
        case "herd":
            return durable_scale.section(folder, quick)
        case "durable-peers":
            return durable_peers.section(folder, quick)
        case "example":
            return audit_cost.section(folder, quick)
        case "imports":
            return import_time.section(folder, quick)
        case "cli":
            return cli_rate.section(folder, quick)
        case "logbook":
            return logbook_cost.section(folder, quick)
        case "agentdojo":
            return agentdojo.section(folder, quick)
        case "policies":
            return policy_rate.section(quick)
        case "telemetry":
            return telemetry_rate.section(quick)
        case "agents":
            return agent_rate.section(folder, quick)
        case "retrieval":
            return cast("Section", import_module("benchmarks.retrieval_rate").section(folder, quick))  # it needs numpy
        case _:
            return approval_latency.section(folder, quick)


def surroundings() -> str:
    """What the figures depend on."""
    parts = [f"Python {platform.python_version()}", f"SQLite {sqlite3.sqlite_version}", f"{os.cpu_count()} CPUs"]
    if sys.platform == "linux":
        priority = "real-time" if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR) else "normal"
        parts += [f"{priority} priority", f"load {os.getloadavg()[0]:.1f}"]
    return ", ".join([platform.system(), *parts])


if __name__ == "__main__":
    main()
