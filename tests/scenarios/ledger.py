"""What was really executed, written down outside the runtime: one line before each call and one after it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import attrs
import msgspec

Moment = Literal["begun", "ended"]


@attrs.frozen(kw_only=True)
class Line:
    """One execution of `what` ("tool 3.1" or "model 4") for the effect of that id.

    `intended` says whether the effect's intent could be read from the file at that moment.
    """

    moment: Moment
    what: str
    effect: str
    intended: bool


def note(path: Path, line: Line) -> None:
    """Append a line and flush it to the disk before anything else happens."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(descriptor, msgspec.json.encode(attrs.asdict(line)) + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(path: Path) -> list[Line]:
    """Every line, in the order of writing."""
    if not path.exists():
        return []
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]


def times_begun(lines: Iterable[Line]) -> Counter[str]:
    """How often each call was begun."""
    return Counter(line.what for line in lines if line.moment == "begun")
