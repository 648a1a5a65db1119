"""What pruned entries leave behind so that the chains still close. Pure; every store writes the same.

A stream's chain goes on from its tombstone. A batch's hash covers the heads that it left of every stream that it
changed: as long as one of its entries is there, those of pruned streams are kept as links. Of batches that lie next to
each other and have lost all their entries only the last one's row is kept, which the next batch's hash continues, and
one gap says which they were.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import attrs

from .turn import LogEntry, Tombstone


@attrs.frozen
class Link:
    """What a batch left of a stream; `seq` is where among all entries the last one of them stood."""

    batch: int
    stream: str
    position: int
    hash: bytes
    seq: int


@attrs.frozen
class Gap:
    """Batches `first` to `last` have no entries any more; of their rows that of `last` is kept."""

    first: int
    last: int


def tombstone(entries: Sequence[LogEntry], at: float) -> Tombstone:
    """What stands for the entries of a stream, the last ones to be pruned, and for all that were before them."""
    last = entries[-1]
    return Tombstone(stream=last.stream, position=last.position, seq=last.seq, hash=last.hash, at=at)


def links(entries: Sequence[LogEntry], following: int | None) -> list[Link]:
    """What their batches left of the entries' stream.

    Args:
        following: the batch of the entry behind them; when that is their last one's, it needs no link for it is there.
    """
    found = []
    for batch, group in groupby(entries, key=lambda entry: entry.batch):
        last = list(group)[-1]
        if batch != following:
            found.append(Link(batch, last.stream, last.position, last.hash, last.seq))
    return found


def gap(below: int, above: int | None, last: int) -> Gap | None:
    """The gap between two batches that have entries; None when there is none between them.

    Args:
        below: the nearest one before; 0 when there is none.
        above: the nearest one behind; None when there is none, and `last` is the newest batch.
    """
    end = last if above is None else above - 1
    return Gap(below + 1, end) if below < end else None
