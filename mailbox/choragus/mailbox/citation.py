"""Forks: a stream that begins by citing the entry of another stream from which it goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs
import msgspec

from .audit import Findings, entry_name
from .turn import LogEntry

FORKED = "stream.forked"
"""The kind of an entry that cites. Before it in its stream stand at most failures to write it."""

Stands = Callable[[str, int], bytes | None]
"""Gives the hash of the entry that stands at a stream's position; None when none does."""


@attrs.frozen(kw_only=True)
class Citation:
    """The entry from which a stream began: its stream, position and hash."""

    stream: str
    position: int
    hash: bytes

    def fields(self) -> dict[str, object]:
        """What the body of the citing entry says of it; whoever forks may add fields of its own."""
        return {"stream": self.stream, "position": self.position, "hash": self.hash.hex()}


def citation(entry: LogEntry) -> Citation | None:
    """What an entry cites; None when it is of another kind.

    Raises:
        ValueError: when it is, and does not say what it cites.
    """
    if entry.kind != FORKED:
        return None
    try:
        told = msgspec.json.decode(entry.body, type=dict[str, object])
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from error
    match told:
        case {"stream": str(stream), "position": int(position), "hash": str(hash)}:
            return Citation(stream=stream, position=position, hash=bytes.fromhex(hash))
    raise ValueError("stream, position and hash are not all there")


def check_forks(entries: Iterable[LogEntry], stands: Stands, found: Findings) -> None:
    """Compare what forks cite with what stands there. What was pruned since cannot be compared, but for its last entry.

    Args:
        entries: all that may begin a fork; others are passed over.
    """
    stones = {stone.stream: stone for stone in found.tombstones}
    for entry in entries:
        name = entry_name(entry.stream, entry.position)
        try:
            cited = citation(entry)
        except ValueError as error:
            found.problems.append(f"{name} begins a fork and cites nothing that can be read: {error}")
            continue
        if cited is None:
            continue
        found.forks += 1
        stone = stones.get(cited.stream)
        if stone is not None and cited.position < stone.position:
            continue
        is_last = stone is not None and cited.position == stone.position
        there = stone.hash if stone is not None and is_last else stands(cited.stream, cited.position)
        if there is None:
            found.problems.append(f"{name} cites {entry_name(cited.stream, cited.position)}, which is missing")
        elif there != cited.hash:
            found.problems.append(f"{name} does not cite the hash of {entry_name(cited.stream, cited.position)}")
