"""Following hash chains: what the entries of a store say about each other, their batches and their heads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby

import attrs

from .digest import GENESIS, chain, chain_batch
from .plan import Head
from .turn import LogEntry, Tombstone, Verification

Recorded = Callable[[int], tuple[float, bytes] | None]
"""Gives a batch's time and hash by its number."""

Link = tuple[str, int, bytes]
"""The head that a batch left of a stream: stream, position, hash."""

Linked = Callable[[int], Iterable[Link]]
"""Gives what a batch, by its number, left of streams that were pruned since."""


@attrs.define
class Findings:
    """What a check has seen so far."""

    tombstones: tuple[Tombstone, ...] = ()
    heads: dict[str, Head] = attrs.field(factory=dict)
    entries: int = 0
    batches: int = 0
    records: int = 0
    forks: int = 0
    problems: list[str] = attrs.field(factory=list)

    def verification(self) -> Verification:
        """The outcome, as a store gives it."""
        return Verification(
            entries=self.entries,
            streams=len(self.heads),
            batches=self.batches,
            records=self.records,
            problems=tuple(self.problems),
            tombstones=self.tombstones,
            forks=self.forks,
        )


def check_entries(entries: Iterable[LogEntry], recorded: Recorded, linked: Linked, found: Findings) -> None:
    """Walk all entries in commit order: each continues its stream, each batch chains the heads that it left.

    A stream that was pruned goes on from its tombstone.
    """
    for stone in found.tombstones:
        found.heads[stone.stream] = Head(position=stone.position, hash=stone.hash)
    done = 0
    for number, lines in groupby(entries, key=lambda entry: entry.batch):
        streams: set[str] = set()
        for entry in lines:
            _check_entry(entry, found)
            streams.add(entry.stream)
        if number <= done:
            found.problems.append(f"entries of batch {number} stand behind those of batch {done}")
        done = number
        links = [(stream, found.heads[stream].position, found.heads[stream].hash) for stream in streams]
        _check_batch(number, [*links, *linked(number)], recorded, found)


def check_heads(recorded: Mapping[str, Head], found: Findings) -> None:
    """Compare the last entries that `check_entries` saw with the heads that the store keeps."""
    for stream in sorted(recorded.keys() | found.heads.keys()):
        stands, says = found.heads.get(stream, Head()), recorded.get(stream, Head())
        if stands.position != says.position:
            problem = f"stream {stream!r} ends at position {stands.position}, its head says {says.position}"
            found.problems.append(problem)
        elif stands != says:
            found.problems.append(f"the last entry of stream {stream!r} does not match the stream's head")


def entry_name(stream: object, position: object) -> str:
    """How an entry is named to people."""
    return f"entry {position} of stream {stream!r}"


def _check_entry(entry: LogEntry, found: Findings) -> None:
    found.entries += 1
    name = entry_name(entry.stream, entry.position)
    head = found.heads.get(entry.stream, Head())
    found.heads[entry.stream] = Head(position=entry.position, hash=entry.hash)
    if entry.position > head.position + 1:
        missing = entry_name(entry.stream, head.position + 1)
        found.problems.append(f"{missing} is missing: the next one is at position {entry.position}")
    elif entry.position <= head.position:
        found.problems.append(f"{name} is out of order: it follows position {head.position}")
    elif entry.hash != chain(head.hash, entry.position, entry):
        found.problems.append(f"{name} does not match its hash")


def _check_batch(number: int, links: Sequence[Link], recorded: Recorded, found: Findings) -> None:
    batch = recorded(number)
    previous = recorded(number - 1) if number > 1 else (0.0, GENESIS)
    if batch is None or previous is None:
        return  # the store names a batch that is missing
    if batch[1] != chain_batch(previous[1], number, batch[0], links):
        found.problems.append(f"batch {number} does not match its hash")
