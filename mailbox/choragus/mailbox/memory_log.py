"""The streams of the store in memory: entries in commit order, their heads and batches, and what pruning left."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from operator import attrgetter

import attrs

from .audit import Findings, check_entries, check_heads
from .burial import Link, gap, links, tombstone
from .citation import check_forks
from .digest import GENESIS
from .plan import Head, Plan
from .turn import Entry, Extent, LogEntry, Tombstone, Verification


@attrs.define
class MemoryLog:
    """Every stream of one store. `entries` and `batch` are the highest numbers that were ever given out."""

    entries: int = 0
    batch: int = 0
    heads: dict[str, Head] = attrs.field(factory=dict)
    _lines: list[LogEntry] = attrs.field(factory=list)
    _streams: dict[str, list[LogEntry]] = attrs.field(factory=dict)
    _batches: dict[int, tuple[float, bytes]] = attrs.field(factory=dict)
    _tombstones: dict[str, Tombstone] = attrs.field(factory=dict)
    _links: dict[int, dict[str, Link]] = attrs.field(factory=dict)

    @property
    def batch_hash(self) -> bytes:
        """The last batch's."""
        return self._batches[self.batch][1] if self.batch else GENESIS

    def write(self, changes: Plan, at: float) -> None:
        """The entries of a batch, if it has any."""
        if not changes.heads:
            return
        for entry in changes.entries:
            self.entries = entry.seq
            self._lines.append(entry)
            self._streams.setdefault(entry.stream, []).append(entry)
        self.heads.update(changes.heads)
        self.batch = changes.batch
        self._batches[self.batch] = (at + 0.0, changes.batch_hash)

    def has(self, entry: Entry) -> bool:
        """Whether that entry stands in its stream."""
        lines = self._streams.get(entry.stream, ())
        return any((line.kind, line.at, line.body) == (entry.kind, entry.at, entry.body) for line in lines)

    def read(self, stream: str, after: int, limit: int) -> list[LogEntry]:
        """Entries of a stream behind a position."""
        lines = self._streams.get(stream, [])
        begin = bisect_right(lines, after, key=attrgetter("position"))
        return lines[begin : begin + limit]

    def all(self, after: int, limit: int) -> list[LogEntry]:
        """Entries of all streams behind a `seq`."""
        begin = bisect_right(self._lines, after, key=attrgetter("seq"))
        return self._lines[begin : begin + limit]

    def extent(self, stream: str) -> Extent:
        """Where a stream begins and ends."""
        stone = self._tombstones.get(stream)
        return Extent(first=stone.position + 1 if stone else 1, last=self.heads.get(stream, Head()).position)

    def last_seq(self, stream: str, upto: int) -> int:
        """Where among all entries the stream's last one up to a position stands; 0 for none."""
        return max((line.seq for line in self._streams.get(stream, []) if line.position <= upto), default=0)

    def tombstones(self) -> list[Tombstone]:
        """What is left of pruned entries, by stream."""
        return sorted(self._tombstones.values(), key=attrgetter("stream"))

    def bury(self, stream: str, upto: int, at: float) -> int:
        """Take away a stream's entries up to a position; gives how many there were."""
        lines = self._streams.get(stream, [])
        gone = [line for line in lines if line.position <= upto]
        if not gone:
            return 0
        self._streams[stream] = kept = lines[len(gone) :]
        self._tombstones[stream] = tombstone(gone, at)
        dead = {line.seq for line in gone}
        self._lines = [line for line in self._lines if line.seq not in dead]
        for link in links(gone, kept[0].batch if kept else None):
            self._unlink(link)
        return len(gone)

    def verify(self) -> Verification:
        """Check the chains."""
        found = Findings(tuple(self.tombstones()), batches=len(self._batches), records=len(self._lines))
        check_entries(self._lines, self._batches.get, self._linked, found)
        check_heads(self.heads, found)
        check_forks(self._lines, self._stands, found)
        return found.verification()

    def _unlink(self, link: Link) -> None:
        place = bisect_left(self._lines, link.seq, key=attrgetter("seq"))
        below = self._lines[place - 1].batch if place else 0
        above = self._lines[place].batch if place < len(self._lines) else None
        if link.batch in (below, above):
            self._links.setdefault(link.batch, {})[link.stream] = link
            return
        closed = gap(below, above, self.batch)
        assert closed is not None  # the batch itself lies in it
        for number in [one for one in self._links if closed.first <= one <= closed.last]:
            del self._links[number]
        for number in [one for one in self._batches if closed.first <= one < closed.last]:
            del self._batches[number]

    def _stands(self, stream: str, position: int) -> bytes | None:
        lines = self.read(stream, position - 1, 1)
        return lines[0].hash if lines and lines[0].position == position else None

    def _linked(self, batch: int) -> list[tuple[str, int, bytes]]:
        return [(link.stream, link.position, link.hash) for link in self._links.get(batch, {}).values()]
