"""`choragus tail`: what is entered in the logbook, line by line, as it is committed."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable
from datetime import datetime

from choragus.mailbox.reader import EntryRow

from .age import count_of
from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .paint import STYLES, painted
from .record import FINAL
from .row import text_of
from .text import columns, counted, page, short, visible
from .timeline import SYSTEM_STREAM, Timeline

LAST = 10
"""Entries from before that are shown first."""

LOOK = 0.05
"""Seconds between two looks for what is new."""

BEFORE = 200
"""Entries before the first that is shown that are read too, for what it refers to."""

MANY = 1000
"""Runs whose open calls are kept in mind at a time."""


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
    printer = _Printer(page(), "" if run else "run", asked.json)
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


class _Printer:
    """Prints entries, each run's by a timeline of its own, so that a call is named when its verdict comes."""

    def __init__(self, width: int, column: str, raw: bool) -> None:
        self._width = width
        self._column = column
        self._raw = raw
        self._timelines: dict[str, Timeline] = {}

    def skip(self, entries: Iterable[EntryRow]) -> None:
        """Take note of entries that are not shown."""
        for entry in entries:
            if entry.stream.startswith("run/"):
                self._timeline(entry.stream).skip([entry])

    def print(self, entry: EntryRow) -> None:
        """One entry, if it says something to a person."""
        if self._raw:
            fields = {"seq": entry.seq, "stream": entry.stream, "position": entry.position, "kind": entry.kind}
            print(json.dumps({**fields, "at": entry.at, "data": entry.data}))
        elif entry.stream == SYSTEM_STREAM:
            print(self._line(entry, "", "", entry.kind.removeprefix("system."), _gist(entry)))
        elif entry.stream.startswith("run/"):
            for row in self._timeline(entry.stream).rows(entry):
                print(self._line(entry, entry.stream[4:], row.step, row.what, row.gist + row.tail))

    def _timeline(self, stream: str) -> Timeline:
        if stream not in self._timelines and len(self._timelines) >= MANY:
            self._timelines.pop(next(iter(self._timelines)))
        return self._timelines.setdefault(stream, Timeline(self._width))

    def _line(self, entry: EntryRow, run: str, step: str, what: str, gist: str) -> str:
        when = datetime.fromtimestamp(entry.at)
        begin = f"{when:%H:%M:%S}  " + (f"{run:<12}  " if self._column else "")
        middle = f"{visible(step):<5}  {visible(what):<9}"
        room = max(20, self._width - columns(begin) - columns(middle) - 2)
        return f"{begin}{painted(middle, STYLES.get(what, ''))}  {short(visible(gist), room)}".rstrip()


def _gist(entry: EntryRow) -> str:
    said = ", ".join(f"{name} {value}" for name, value in entry.data.items() if isinstance(value, str | int | float))
    return said or counted(len(entry.data), "field")
