"""Going through all entries of a file in commit order: each must be what was written, where it was written.

One tight loop: over 100,000 in a second. What is wrong with an entry is worked out only when one is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b, sha256
from itertools import islice, repeat
from operator import attrgetter
from sqlite3 import Connection, DatabaseError
from typing import cast

import attrs

from .audit import Findings, Link, entry_name
from .citation import FORKED
from .digest import GENESIS, Field, chain, chain_batch, digest, pack
from .phrase import key_of, spelled_out
from .plan import Head
from .row import ENTRY_COLUMNS, Row, raw, text, whole
from .schema import ENTRY
from .spelling import Speller
from .turn import Entry, LogEntry, Tombstone

NAMED = 20
"""So many streams of a batch are named when its hash is wrong."""

CHAINED = b"b%d:%b%bi%d;%b%bb%d:%b"
"""What `digest.chain` hashes: the hash before, the stream, the position, the kind, the time and the body."""

AT_ONCE = 256
"""So many entries are spelled out in one go."""

_Line = tuple[int, int, int, str, float, bytes, int, bytes, bytes]
_Batch = tuple[bytes, float, bytes]
"""The hash of the batch before, the time, the hash."""

_ODD = (TypeError, ValueError, KeyError, IndexError, OverflowError, AttributeError)
"""What a value raises that is not of its column's type, or a text that is none."""


@attrs.define(eq=False)
class Lane:
    """A stream as far as it was read. `first` is where its entries of the batch in hand begin.

    `written`: another stream, under whose name its entries were written.
    """

    number: Field
    name: str
    position: int = 0
    first: int = 0
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

    @property
    def news(self) -> str:
        """How its entries of the batch are named."""
        if self.first == self.position:
            return self.last
        return f"entries {self.first} to {self.position} of stream {self.name!r}"


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
    _batch: int = 0
    _frames: _Frames = attrs.field(init=False)
    _touched: dict[Field, Lane] = attrs.field(factory=dict)
    _recorded: _Recorded = attrs.field(init=False)
    _links: dict[int, list[Link]] = attrs.field(init=False)
    _stones: dict[str, Tombstone] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._recorded, self._frames = _Recorded(self.connection), _Frames()
        self._links = _links(self.connection)
        self._stones = {stone.stream: stone for stone in self.found.tombstones}

    @property
    def last(self) -> int:
        """The highest `seq`."""
        row: tuple[int] = self.connection.execute("SELECT ifnull(max(seq), 0) FROM entry").fetchone()
        return row[0]

    def through(self) -> None:
        """Read all entries; what is wrong goes to `found`, and so do the heads that they leave."""
        speller = Speller()
        rows = cast("Iterator[_Line]", self.connection.execute(f"SELECT {ENTRY_COLUMNS} FROM entry ORDER BY seq"))
        for lines in _handfuls(rows):
            self.found.entries += len(lines)
            self._follow(lines, speller.spelled([line[5] for line in lines]))
        self._close(self._batch)
        self.found.heads = {
            stone.stream: Head(position=stone.position, hash=stone.hash) for stone in self._stones.values()
        }
        self.found.heads |= {lane.name: Head(position=lane.position, hash=lane.hash) for lane in self.lanes.values()}

    def _follow(self, lines: Sequence[_Line], bodies: Sequence[bytes] | None) -> None:
        """Go on by these entries. `bodies` lack the keys of their streams; None when each must be spelled out."""
        lanes, frames, touched, number, chained = self.lanes, self._frames, self._touched, self._batch, CHAINED
        before, timed, time = None, None, b""
        for line, told in zip(lines, bodies or repeat(None), strict=False):
            _, stream, position, kind, at, kept, batch, hash_, sealed = line
            lane = lanes.get(stream) or self._begun(stream)
            if batch != number:
                self._close(number)
                self._check_order(line, lane)
                self._batch, number, before = batch, batch, None
            try:
                body = spelled_out(lane.name, kept) if told is None else told.replace(b"\x01", lane.key)
                if at != timed:
                    timed, time = at, b"f%a;" % at
                was = lane.hash
                said = chained % (len(was), was, lane.frame, position, frames[kind], time, len(body), body)
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
                before = lane
                if stream not in touched:
                    touched[stream], lane.first = lane, position
            if kind == FORKED:
                self.forks.append(_entry(line, lane.name))

    def _check_order(self, line: _Line, lane: Lane) -> None:
        """The next batch begins."""
        if line[6] <= self._done:
            name = f"{entry_name(lane.name, line[2])} ({line[3]!s})"
            self.found.problems.append(f"{name} of batch {line[6]} stands behind those of batch {self._done}")
        self._done = max(self._done, line[6])

    def _begun(self, number: Field) -> Lane:
        name = self.names.get(number)
        if name is None:
            self.found.problems.append(f"entries of stream number {number!r} have no head")
        lane = Lane(number, f"number {number!r}" if name is None else name)
        stone = self._stones.get(lane.name)
        if stone is not None:
            lane.position, lane.hash = stone.position, stone.hash
        self.lanes[number] = lane
        return lane

    def _explain(self, line: _Line, lane: Lane) -> None:
        """Say what is wrong with an entry, if anything is: the loop knows only the common forms of values."""
        position, kind = line[2], line[3]
        name = f"{entry_name(lane.name, position)} ({kind})"
        is_sealed = line[-1] == digest(*line[:-1])[: ENTRY.size]
        problems = self.found.problems
        if not is_sealed:
            problems.append(f"{name} does not match its digest")
        if not isinstance(position, int) or not isinstance(line[7], bytes):
            problems.append(f"{name} has no position or no hash any more")
        elif position > lane.position + 1:
            problems.append(f"{_span(lane, position)} missing: the next one is at position {position} ({kind})")
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
        if not self._touched:
            return
        touched = list(self._touched.values())
        self._touched.clear()
        self.batches.add(number)
        recorded = self._recorded.of(number)
        if recorded is not None and recorded[2] != self._chained(number, recorded, touched):
            names = "; ".join(lane.news for lane in touched[:NAMED])
            more = f" and {len(touched) - NAMED} more" if len(touched) > NAMED else ""
            told = f"what was changed is {names}{more}, or the batch itself or the one before it"
            self.found.problems.append(f"batch {number} does not match its hash: {told}")

    def _chained(self, number: int, recorded: _Batch, touched: list[Lane]) -> bytes:
        """What the hash of a batch should be."""
        before, at, _ = recorded
        links = self._links.get(number)
        if links:
            left = [(lane.name, lane.position, lane.hash) for lane in touched]
            return chain_batch(before, number, at, [*left, *links])
        if len(touched) > 1:
            touched.sort(key=attrgetter("name"))
        said = b"b%d:%bi%d;f%a;" % (len(before), before, number, at)
        for lane in touched:
            said += b"%bi%d;b%d:%b" % (lane.frame, lane.position, len(lane.hash), lane.hash)
        return sha256(said).digest()


class _Frames(dict[str, bytes]):
    """Kinds as they stand in a chain."""

    def __missing__(self, kind: str) -> bytes:
        self[kind] = framed = _frame(kind)
        return framed


class _Recorded:
    """The batches, read in step with the entries."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows = self._behind(0)
        self._number, self._hash = 0, GENESIS

    def of(self, number: int) -> _Batch | None:
        """A batch, and the hash of the one before; None, for which there are words elsewhere, when one is missing."""
        row = next(self._rows, None)
        if row is None or row[0] != number or number != self._number + 1:
            self._number, self._hash = number - 1, GENESIS
            if number > 1:
                before = next(self._behind(number - 2), None)
                if before is None or before[0] != number - 1:
                    return None
                self._hash = before[2]
            self._rows = self._behind(number - 1)
            row = next(self._rows, None)
            if row is None or row[0] != number:
                return None
        before_it = self._hash
        self._number, at, self._hash = row
        return before_it, at, self._hash

    def _behind(self, number: int) -> Iterator[tuple[int, float, bytes]]:
        statement = "SELECT number, at, hash FROM batch WHERE number > ? ORDER BY number"
        return self._connection.execute(statement, (number,))


def _handfuls(rows: Iterator[_Line]) -> Iterator[list[_Line]]:
    """Some hundred entries at a time; also those before one that cannot be read."""
    while True:
        lines: list[_Line] = []
        try:
            lines.extend(islice(rows, AT_ONCE))
        except (DatabaseError, UnicodeDecodeError):
            yield lines
            raise
        if not lines:
            return
        yield lines


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
