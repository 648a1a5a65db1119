"""A disk behind a cache: what of it is certain, and what it may look like when the power fails now. Pure.

Certain is what was flushed: of a file its content at its last fsync, of names what was done before the folder's last
fsync. Of everything later any part may have come to the disk, in any order: that is more than most file systems allow,
and what SQLite claims to stand.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from enum import Enum, auto

import attrs

from .journal import Done, What

PAGE = 4096
SECTOR = 512


class Loss(Enum):
    """What became of the writes to a file that were not flushed."""

    ALL_LOST = auto()
    NONE_LOST = auto()
    PREFIX = auto()
    """The first ones are there, the last of them in part."""
    PAGES = auto()
    """Each page is as it was at a moment of its own."""
    SECTORS = auto()
    """Each sector of 512 bytes."""


@attrs.define
class File:
    """One inode: what is certain, and the writes and truncations since."""

    certain: bytearray = attrs.field(factory=bytearray)
    pending: list[Done] = attrs.field(factory=list)

    def flush(self) -> None:
        """Everything is certain."""
        for done in self.pending:
            _apply(self.certain, done)
        self.pending.clear()

    def drawn(self, loss: Loss, chance: random.Random) -> bytes:
        """A content that it may have."""
        if loss is Loss.ALL_LOST or not self.pending:
            return bytes(self.certain)
        if loss is Loss.PREFIX:
            return self._prefix(chance)
        content = bytearray(self.certain)
        if loss is Loss.NONE_LOST:
            for done in self.pending:
                _apply(content, done)
            return bytes(content)
        return self._in_pieces(PAGE if loss is Loss.PAGES else SECTOR, chance)

    def _prefix(self, chance: random.Random) -> bytes:
        content = bytearray(self.certain)
        whole = chance.randrange(len(self.pending))
        for done in self.pending[:whole]:
            _apply(content, done)
        torn = self.pending[whole]
        if torn.what is What.WRITTEN:
            kept = chance.randrange(len(torn.data) + 1)
            _apply(
                content,
                attrs.evolve(torn, data=torn.data[: kept // SECTOR * SECTOR if chance.random() < 0.5 else kept]),
            )
        return bytes(content)

    def _in_pieces(self, size: int, chance: random.Random) -> bytes:
        """Each piece, and the length of the file, as it was after a number of the pending calls of its own."""
        content = bytearray(self.certain)
        moments: dict[int, int] = {}
        lengths = [len(content)]
        for number, done in enumerate(self.pending):
            end = done.offset + len(done.data)
            if done.what is What.RESIZED:
                end = max(lengths[-1], done.offset, len(content))
            for piece in range(done.offset // size, -(-end // size)):
                if number >= moments.setdefault(piece, chance.randint(number, len(self.pending))):
                    continue
                _apply_within(content, done, piece * size, (piece + 1) * size)
            lengths.append(done.offset if done.what is What.RESIZED else max(lengths[-1], end))
        length = chance.choice(lengths)
        return bytes(content[:length]).ljust(length, b"\0")


def _apply(content: bytearray, done: Done) -> None:
    if done.what is What.RESIZED:
        del content[done.offset :]
        content.extend(bytes(done.offset - len(content)))
        return
    if len(content) < done.offset:
        content.extend(bytes(done.offset - len(content)))
    content[done.offset : done.offset + len(done.data)] = done.data


def _apply_within(content: bytearray, done: Done, begin: int, end: int) -> None:
    """The part of a call that lies in a piece of the file; a truncation leaves zeros there."""
    if done.what is What.RESIZED:
        first, last, data = max(begin, done.offset), min(end, len(content)), b""
    else:
        first, last = max(begin, done.offset), min(end, done.offset + len(done.data))
        data = done.data[first - done.offset : last - done.offset]
    if last <= first:
        return
    if len(content) < last:
        content.extend(bytes(last - len(content)))
    content[first:last] = data or bytes(last - first)


@attrs.define
class Disk:
    """Files and names, as the calls made them.

    Args:
        drops: whether a flush that fails throws away what it should have written, as some file systems do: it can still
            be read, and no later flush writes it. Else it stays to be written.
    """

    drops: bool = False
    acknowledged: int = 0
    _files: dict[int, File] = attrs.field(factory=dict)
    _names: dict[str, File] = attrs.field(factory=dict)
    _certain: dict[str, File] = attrs.field(factory=dict)
    _pending: list[Done] = attrs.field(factory=list)
    _created: list[File | None] = attrs.field(factory=list)

    def do(self, done: Done) -> None:
        """One more call."""
        match done.what:
            case What.ACKNOWLEDGED:
                self.acknowledged = max(self.acknowledged, done.offset)
            case What.WRITTEN | What.RESIZED:
                self._file(done.file).pending.append(done)
            case What.FAILED:
                if self.drops and done.file in self._files:
                    self._files[done.file].pending.clear()
            case What.FLUSHED if done.file in self._files:
                self._files[done.file].flush()
            case What.FLUSHED:  # the folder
                self._pending.clear()
                self._created.clear()
                self._certain = dict(self._names)
            case _:
                self._rename(done)

    def image(self, chance: random.Random) -> dict[str, bytes]:
        """The files as they may be found, by their whole names."""
        names = dict(self._certain)
        for done, created in self._surviving(chance):
            _name(names, done, created)
        return {name: file.drawn(chance.choice(list(Loss)), chance) for name, file in names.items()}

    def _file(self, number: int) -> File:
        return self._files.setdefault(number, File())

    def _rename(self, done: Done) -> None:
        created = None
        if done.what is What.CREATED:
            created = self._files[done.file] = File()  # the number may have been another's
        self._pending.append(done)
        self._created.append(created)
        _name(self._names, done, created)

    def _surviving(self, chance: random.Random) -> list[tuple[Done, File | None]]:
        """What was done to names: the first few, or of each name the first few."""
        pending = list(zip(self._pending, self._created, strict=True))
        if chance.random() < 0.5 or any(done.what in (What.RENAMED, What.LINKED) for done in self._pending):
            return pending[: chance.randint(0, len(pending))]
        left = {name: chance.randint(0, len(pending)) for name in _each(done.name for done in self._pending)}
        return [one for number, one in enumerate(pending) if number < left[one[0].name]]


def _each(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _name(names: dict[str, File], done: Done, created: File | None) -> None:
    match done.what:
        case What.CREATED:
            assert created is not None
            names[done.name] = created
        case What.UNLINKED:
            names.pop(done.name, None)
        case What.RENAMED if done.name in names:
            names[done.data.decode()] = names.pop(done.name)
        case What.LINKED if done.name in names:
            names[done.data.decode()] = names[done.name]
        case _:
            pass
