"""Runs every family of faults and prints a table in Markdown.

    python -m tests.faults.table --quick
    nice python -m tests.faults.table --points 10000 --only kills

Ends with 1 when a promise was broken; what was broken goes to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from .family import Extent, processors, rows
from .interposer import build, missing
from .row import HEAD, Row, table

MODULES = ("kills", "io_error", "audited", "power", "one_machine")
"""Whoever adds a family adds its module here."""
QUICK = 60
POINTS = 10_000


def main() -> int:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} points for each family")
    parser.add_argument("--points", type=int, default=POINTS, help=f"points for each family, {POINTS} by default")
    parser.add_argument("--only", action="append", default=[], help="a family; may be given several times")
    parser.add_argument("--servers", type=int, default=processors(), help="trials at a time")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if why := missing():
        print(why, file=sys.stderr)
        return 2
    for module in MODULES:
        importlib.import_module(f"{__package__}.{module}")
    with tempfile.TemporaryDirectory() as folder:
        extent = Extent(
            points=QUICK if given.quick else given.points,
            library=build(Path(folder)),
            folder=Path(folder),
            servers=given.servers,
            seed=given.seed,
        )
        return _print(extent, given.only)


def _print(extent: Extent, only: list[str]) -> int:
    done: list[Row] = []
    begun = time.monotonic()
    print(f"| {' | '.join(HEAD)} |\n|{' --- |' * len(HEAD)}", flush=True)
    for row in rows(extent, only):
        done.append(row)
        print(table([row]).splitlines()[-1], flush=True)
        for one in row.broken if not row.expected else ():
            print(f"{row.fault}: {one}", file=sys.stderr, flush=True)
    print(f"\n{sum(row.points for row in done)} points in {time.monotonic() - begun:.0f} s", flush=True)
    return 1 if any(row.broken and not row.expected for row in done) else 0


if __name__ == "__main__":
    sys.exit(main())
