"""Entries of many runs as lines, one after the other as they are committed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import TextIO

from .paint import STYLES, painted
from .row import Fields, Line
from .text import columns, counted, short, visible
from .timeline import SYSTEM_STREAM, Timeline

MANY = 1000
"""Runs whose open calls are kept in mind at a time."""


class Printer:
    """Prints entries, each run's by a timeline of its own, so that a call is named when its verdict comes."""

    def __init__(self, width: int, column: str, raw: bool) -> None:
        self._width = width
        self._column = column
        self._raw = raw
        self._timelines: dict[str, Timeline] = {}

    def skip(self, entries: Iterable[Line]) -> None:
        """Take note of entries that are not shown."""
        for entry in entries:
            if entry.stream.startswith("run/"):
                self._timeline(entry.stream).skip([entry])

    def print(self, entry: Line, file: TextIO | None = None) -> None:
        """One entry, if it says something to a person; to stdout by default."""
        if self._raw:
            fields = {"seq": entry.seq, "stream": entry.stream, "position": entry.position, "kind": entry.kind}
            print(json.dumps({**fields, "at": entry.at, "data": json.loads(entry.body)}), file=file)
        elif entry.stream == SYSTEM_STREAM:
            print(self._line(entry, "", "", entry.kind.removeprefix("system."), _gist(entry)), file=file)
        elif entry.stream.startswith("run/"):
            for row in self._timeline(entry.stream).rows(entry):
                print(self._line(entry, entry.stream[4:], row.step, row.what, row.gist + row.tail), file=file)

    def _timeline(self, stream: str) -> Timeline:
        if stream not in self._timelines and len(self._timelines) >= MANY:
            self._timelines.pop(next(iter(self._timelines)))
        return self._timelines.setdefault(stream, Timeline(self._width))

    def _line(self, entry: Line, run: str, step: str, what: str, gist: str) -> str:
        when = datetime.fromtimestamp(entry.at)
        begin = f"{when:%H:%M:%S}  " + (f"{run:<12}  " if self._column else "")
        middle = f"{visible(step):<5}  {visible(what):<9}"
        room = max(20, self._width - columns(begin) - columns(middle) - 2)
        return f"{begin}{painted(middle, STYLES.get(what, ''))}  {short(visible(gist), room)}".rstrip()


def _gist(entry: Line) -> str:
    data: Fields = json.loads(entry.body)
    said = ", ".join(f"{name} {value}" for name, value in data.items() if isinstance(value, str | int | float))
    return said or counted(len(data), "field")
