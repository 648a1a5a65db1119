"""Going through all entries of a file in commit order: each must be what was written, where it was written.

One tight loop, for a file has many: 100,000 in a second. What is wrong with an entry is worked out only when one is.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b, sha256
from sqlite3 import Connection
from typing import cast

import attrs

from .audit import Findings, Link, entry_name
from .citation import FORKED
from .digest import GENESIS, Field, chain, chain_batch, digest, pack
from .phrase import expansion, key_of, spelled_out
from .plan import Head
from .row import ENTRY_COLUMNS, Row, raw, text, whole
from .schema import ENTRY
from .turn import Entry, LogEntry, Tombstone

NAMED = 3
"""So many entries of a batch are named when its hash is wrong."""

CHAINED = b"b%d:%b%bi%d;%bf%a;b%d:%b"
"""What `digest.chain` hashes: the hash before, the stream, the position, the kind, the time and the body."""

_Line = tuple[int, int, int, str, float, bytes, int, bytes, bytes]
_ODD = (TypeError, ValueError, KeyError, IndexError, OverflowError, AttributeError)
"""What a value raises that is not of its column's type, or a text that is none."""


@attrs.define(eq=False)
class Lane:
    """A stream as far as it was read. `written`: another stream, under whose name its entries were written."""

    number: Field
    name: str
    position: int = 0
    hash: bytes = GENESIS
    kind: str = ""
    written: str = ""
    frame: bytes = b""
    key: bytes = b""

    def __attrs_post_init__(self) -> None:
        self.frame = _frame(self.name)
        self.key = key_of(self.name)

    @property
    def last(self) -> str:
        """How its last entry is named."""
        return f"{entry_name(self.name, self.position)} ({self.kind or 'pruned'})"


@attrs.define(eq=False)
class Walk:
    """What is known on the way. `batches` are those that have entries; `forks` are the entries that cite."""

    connection: Connection
    found: Findings
    names: dict[Field, str]
    lanes: dict[Field, Lane] = attrs.field(factory=dict)
    batches: set[int] = attrs.field(factory=set)
    forks: list[LogEntry] = attrs.field(factory=list)
    _done: int = 0
    _touched: dict[Field, Lane] = attrs.field(factory=dict)
    _recorded: _Recorded = attrs.field(init=False)
    _links: dict[int, list[Link]] = attrs.field(init=False)
    _stones: dict[str, Tombstone] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._recorded = _Recorded(self.connection)
        self._links = _links(self.connection)
        self._stones = {stone.stream: stone for stone in self.found.tombstones}

    @property
    def last(self) -> int:
        """The highest `seq`."""
        row: tuple[int] = self.connection.execute("SELECT ifnull(max(seq), 0) FROM entry").fetchone()
        return row[0]

    def through(self) -> None:
        """Read all entries; what is wrong goes to `found`, and so do the heads that they leave."""
        lanes, frames, number, touched = self.lanes, _Frames(), 0, self._touched
        spelled, chained = expansion, CHAINED
        rows = cast("Iterator[_Line]", self.connection.execute(f"SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq"))
        entries, before = 0, None
        for entries, line in enumerate(rows, 1):
            _, stream, position, kind, at, kept, batch, hash_, sealed = line
            lane = lanes.get(stream) or self._begun(stream)
            if batch != number:
                self._close(number)
                self._check_order(line, lane)
                number, before = batch, None
            try:
                body = spelled(kept, lane.key)
                was = lane.hash
                said = chained % (len(was), was, lane.frame, position, frames[kind], at, len(body), body)
                is_whole = (
                    position == lane.position + 1
                    and sha256(said).digest() == hash_
                    and blake2b(pack(line[:8]), digest_size=16).digest()[:8] == sealed
                )
            except _ODD:
                is_whole = False
            if not is_whole:
                self._explain(line, lane)
            lane.position, lane.hash, lane.kind = position, hash_, kind
            if lane is not before:
                touched[stream] = before = lane
            if kind == FORKED:
                self.forks.append(_entry(line, lane.name))
        self._close(number)
        self.found.entries = entries
        self.found.heads = {
            stone.stream: Head(position=stone.position, hash=stone.hash) for stone in self._stones.values()
        }
        self.found.heads |= {lane.name: Head(position=lane.position, hash=lane.hash) for lane in lanes.values()}

    def _check_order(self, line: _Line, lane: Lane) -> None:
        """The next batch begins."""
        if line[6] <= self._done:
            name = f"{entry_name(lane.name, line[2])} ({line[3]!s})"
            self.found.problems.append(f"{name} of batch {line[6]} stands behind those of batch {self._done}")
        self._done = max(self._done, line[6])

    def _begun(self, number: Field) -> Lane:
        name = self.names.get(number)
        if name is None:
            self.found.problems.append(f"entries of stream number {number} have no head")
        lane = Lane(number, f"number {number!r}" if name is None else name)
        stone = self._stones.get(lane.name)
        if stone is not None:
            lane.position, lane.hash = stone.position, stone.hash
        self.lanes[number] = lane
        return lane

    def _explain(self, line: _Line, lane: Lane) -> None:
        """Say what is wrong with an entry, if anything is: the loop knows only the common forms of values."""
        position, name = line[2], f"{entry_name(lane.name, line[2])} ({line[3]!s})"
        is_sealed = line[-1] == digest(*line[:-1])[: ENTRY.size]
        problems = self.found.problems
        if not is_sealed:
            problems.append(f"{name} does not match its digest")
        if not isinstance(position, int) or not isinstance(line[7], bytes):
            problems.append(f"{name} has no position or no hash any more")
        elif position > lane.position + 1:
            problems.append(f"{_span(lane, position)} missing: the next one is at position {position} ({line[3]!s})")
        elif position == lane.position:
            problems.append(f"{name} is out of order: it stands there twice")
        elif position < lane.position:
            problems.append(f"{name} is out of order: it follows position {lane.position}")
        elif not _continues(line, lane, lane.written or lane.name):
            self._explain_hash(line, lane, name, is_sealed)

    def _explain_hash(self, line: _Line, lane: Lane, name: str, is_sealed: bool) -> None:
        others = sorted(set(self.names.values()) - {lane.name}) if lane.position == 0 else []
        lane.written = next((other for other in others if _continues(line, lane, other)), "")
        why = "it was changed"
        if lane.written:
            why = f"it was written as {entry_name(lane.written, 1)}, and the two have changed places"
        elif is_sealed and lane.kind:
            why += f", or {lane.last} was with its hash"
        self.found.problems.append(f"{name} does not match its hash: {why}")

    def _close(self, number: int) -> None:
        """Check the hash of a batch whose entries were all read."""
        touched = list(self._touched.values())
        self._touched.clear()
        if not touched:
            return
        self.batches.add(number)
        batch = self._recorded.batch(number)
        previous = self._recorded.batch(number - 1) if number > 1 else (0.0, GENESIS)
        if batch is None or previous is None:
            return  # named when the batches are counted
        left = [(lane.name, lane.position, lane.hash) for lane in touched]
        if batch[1] != chain_batch(previous[1], number, batch[0], [*left, *self._links.get(number, ())]):
            names = "; ".join(lane.last for lane in touched[:NAMED])
            more = f" and {len(touched) - NAMED} more" if len(touched) > NAMED else ""
            told = f"what was changed is {names}{more}, or the batch itself or the one before it"
            self.found.problems.append(f"batch {number} does not match its hash: {told}")


class _Frames(dict[str, bytes]):
    """Kinds as they stand in a chain."""

    def __missing__(self, kind: str) -> bytes:
        self[kind] = framed = _frame(kind)
        return framed


class _Recorded:
    """The batches, read once and in step with the entries; whoever asks for another one is given it too."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = connection.execute("SELECT number, at, hash FROM batch ORDER BY number")
        self._near: dict[Field, tuple[float, bytes]] = {}

    def batch(self, number: int) -> tuple[float, bytes] | None:
        """A batch's time and hash; None when it is not there."""
        if number not in self._near:
            row = self._rows.fetchone()
            if row is not None and row[0] == number:
                self._near = {number: row[1:], **{n: one for n, one in self._near.items() if n == number - 1}}
                return self._near[number]
            row = self._connection.execute("SELECT at, hash FROM batch WHERE number = ?", (number,)).fetchone()
            self._rows = self._connection.execute(
                "SELECT number, at, hash FROM batch WHERE number > ? ORDER BY number", (number,)
            )
            if row is None:
                return None
            self._near = {**self._near, number: row} if len(self._near) < NAMED else {number: row}
        return self._near[number]


def _links(connection: Connection) -> dict[int, list[Link]]:
    """What batches left of streams that were pruned since."""
    found: dict[int, list[Link]] = {}
    for batch, stream, position, hash_ in connection.execute("SELECT batch, stream, position, hash FROM link"):
        found.setdefault(batch, []).append((text(stream), whole(position), raw(hash_)))
    return found


def _continues(line: _Line, lane: Lane, name: str) -> bool:
    try:
        entry = Entry(name, line[3], line[4], spelled_out(name, line[5]))
        return chain(lane.hash, line[2], entry) == line[7]
    except _ODD:
        return False


def _entry(line: Row, name: str) -> LogEntry:
    seq, _, position, kind, at, kept, batch, hash_ = cast("_Line", line)[:8]
    try:
        body = spelled_out(name, kept)
    except _ODD:
        body = b""
    return LogEntry(seq=seq, stream=name, position=position, kind=kind, at=at, body=body, batch=batch, hash=hash_)


def _span(lane: Lane, position: int) -> str:
    first, last = lane.position + 1, position - 1
    return (
        f"{entry_name(lane.name, first)} is"
        if first == last
        else f"entries {first} to {last} of stream {lane.name!r} are"
    )


def _frame(name: str) -> bytes:
    coded = name.encode("utf-8", "surrogatepass")
    return b"s%d:%b" % (len(coded), coded)
