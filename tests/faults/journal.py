"""What the interposer logged: every call that changed a file, in order, and what was acknowledged between them."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path

import attrs

HEAD = struct.Struct("=IIQQQ")
"""What, bytes of the name, file, offset, bytes of the data: as in interposer.c."""


class What(IntEnum):
    """As in interposer.c."""

    CREATED = 1
    WRITTEN = 2
    FLUSHED = 3
    RESIZED = 4
    UNLINKED = 5
    RENAMED = 6
    LINKED = 7
    ACKNOWLEDGED = 8
    FAILED = 9
    """A flush that was answered with an error."""


@attrs.frozen
class Done:
    """One call.

    Args:
        file: the number of its inode, which may be used again after an unlink; 0 where a name alone says it.
        name: of what was created, unlinked, renamed or linked.
        offset: where it was written, the new size, or the number that was acknowledged.
        data: the bytes; the new name of what was renamed or linked.
    """

    what: What
    file: int
    name: str
    offset: int
    data: bytes


def read(log: Path) -> Iterator[Done]:
    """The calls in order; one that was being logged when the process died is left out."""
    content = log.read_bytes()
    at = 0
    while at + HEAD.size <= len(content):
        what, name_bytes, file, offset, data_bytes = HEAD.unpack_from(content, at)
        has_data = what in (What.WRITTEN, What.RENAMED, What.LINKED)
        begin = at + HEAD.size
        middle = begin + name_bytes
        at = middle + (data_bytes if has_data else 0)
        if at > len(content):
            return
        yield Done(What(what), file, content[begin:middle].decode(), offset, content[middle:at])
