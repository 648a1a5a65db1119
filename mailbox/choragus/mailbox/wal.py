"""Whether a write-ahead log has lost commits behind a place that was damaged.

SQLite reads a log up to the first frame that is not whole, and says nothing of the rest: right after a crash, which may
leave one transaction half written, but a changed bit takes every later commit away as well. A transaction begins when
the one before it is complete, so at most one commit can stand behind the last whole frame. Two are a damage.

The format is SQLite's "WAL-mode File Format".
"""

from __future__ import annotations

import struct
from pathlib import Path
from time import sleep

import attrs

from .errors import CorruptRecord

HEADER = 32
FRAME = 24
MAGIC = (0x377F0682, 0x377F0683)
LOOKS = 3
PAUSE = 0.02
"""How often, and after how many seconds, a log that looks damaged is read again: its owner may be writing to it."""


@attrs.frozen
class Log:
    """What a log's file holds: `whole` frames from its beginning, and `behind` them commits of the same log."""

    whole: int
    behind: int

    @property
    def is_damaged(self) -> bool:
        """Whether commits are there that SQLite would pass over in silence."""
        return self.behind >= 2


def check_wal(log: Path) -> None:
    """Refuse a log that has lost commits.

    Raises:
        CorruptRecord: naming the log, and what is lost.
    """
    for _ in range(LOOKS):
        found = read(log.read_bytes())
        if not found.is_damaged:
            return
        sleep(PAUSE)
    raise CorruptRecord(
        f"{log} is damaged behind frame {found.whole}, and {found.behind} commits are out of reach: restore the file "
        "from a backup; another SQLite program that opens and closes it gives them up"
    )


def read(log: bytes) -> Log:
    """What the bytes of a log hold."""
    if len(log) < HEADER + FRAME:
        return Log(0, 0)
    magic, _, size, _, _, _, *_ = struct.unpack(">8I", log[:HEADER])
    salts = log[16:24]
    order = ">" if magic & 1 else "<"
    sums = _sum(log[:24], order, (0, 0))
    frames = range(HEADER, len(log) - FRAME - size + 1, FRAME + size) if 512 <= size <= 65536 else range(0)
    if magic not in MAGIC or sums != struct.unpack(">2I", log[24:32]):
        return Log(0, _commits(log, frames, salts))
    for number, begin in enumerate(frames):
        head = log[begin : begin + FRAME]
        sums = _sum(head[:8], order, sums)
        sums = _sum(log[begin + FRAME : begin + FRAME + size], order, sums)
        if head[8:16] != salts or struct.unpack(">2I", head[16:]) != sums:
            return Log(number, _commits(log, frames[number:], salts))
    return Log(len(frames), 0)


def _commits(log: bytes, frames: range, salts: bytes) -> int:
    """How many frames end a transaction of this log; one salt is enough, for a bit may have changed in the other."""
    return sum(
        log[begin + 4 : begin + 8] != bytes(4)
        and (log[begin + 8 : begin + 12] == salts[:4] or log[begin + 12 : begin + 16] == salts[4:])
        for begin in frames
    )


def _sum(part: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    """SQLite's running checksum."""
    one, two = sums
    words = struct.unpack(f"{order}{len(part) // 4}I", part)
    for first, second in zip(words[::2], words[1::2], strict=True):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
