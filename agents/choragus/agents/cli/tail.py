"""`choragus tail`: what is entered in the logbook, line by line, as it is committed."""

from __future__ import annotations

import sys
import time

from .age import count_of
from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .printer import Printer
from .record import FINAL
from .row import text_of
from .text import page

LAST = 10
"""Entries from before that are shown first."""

LOOK = 0.05
"""Seconds between two looks for what is new."""

BEFORE = 200
"""Entries before the first that is shown that are read too, for what it refers to."""


def declare(commands: Commands) -> None:
    """`tail`."""
    one = reading(
        commands,
        "tail",
        tail,
        "The last entries of the logbook, and then each new one as it is committed: time, run, step or call,\n"
        "what happened. Of all runs, or of one; then it ends with that run. Ctrl-C ends it.",
        "choragus tail runs.db\n  choragus tail runs.db 5f2c --last 0 --json",
    )
    one.add_argument("run", metavar="RUN", nargs="?", help="only this run: its id, or the beginning of it")
    one.add_argument("--last", metavar="N", type=count_of, default=LAST, help=f"entries from before; {LAST} by default")
    one.add_argument("--once", action="store_true", help="do not wait for more")
    add_json(one, "entries as JSON, one to a line")


def tail(glance: Glance) -> Exit:
    """Print what there was, and what comes."""
    asked, reader = glance.asked, glance.reader
    run = glance.run(asked.run).key if asked.run else ""
    stream = f"run/{run}" if run else ""
    after = max(0, (reader.last(stream) if run else _highest(glance)) - asked.last)
    printer = Printer(page(), "" if run else "run", asked.json)
    before = max(0, after - BEFORE)
    printer.skip(reader.read(stream, before, after - before) if run else reader.log(before, after - before))
    while True:
        for entry in reader.read(stream, after) if run else reader.log(after):
            after = entry.position if run else entry.seq
            printer.print(entry)
        sys.stdout.flush()
        if asked.once or (run and _has_ended(glance, run)):
            return Exit.OK
        while not reader.changed():
            time.sleep(LOOK)


def _highest(glance: Glance) -> int:
    ((highest,),) = glance.reader.rows("SELECT ifnull(max(seq), 0) FROM entry")
    return int(str(highest))


def _has_ended(glance: Glance, run: str) -> bool:
    row = glance.reader.view("run", run)
    return row is None or text_of(row.data, "status") in FINAL
