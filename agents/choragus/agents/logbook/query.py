"""Searching the entries of a file, whoever has it open: by the standard library alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from fnmatch import fnmatchcase
from math import inf
from typing import NamedTuple

from choragus.mailbox.reader import EntryRow, Reader


class Logged(NamedTuple):
    """An entry as a search gives it; `seq` counts the file's entries, `position` those of the stream."""

    seq: int
    stream: str
    position: int
    kind: str
    at: float
    data: Mapping[str, object]

    @property
    def run(self) -> str:
        """The run whose logbook it stands in; empty when it is in another stream."""
        kind, _, run = self.stream.partition("/")
        return run if kind == "run" else ""


class Search(NamedTuple):
    """What is looked for; each part that is given narrows it.

    `kinds` are patterns such as `call.*`, of which one must fit. `run` is the whole id of one. `agent` takes what is
    said of that agent, and all entries of its runs. `since` and `until` are seconds since the epoch, the second is not
    in it. `after` is the `seq` behind which to begin.
    """

    kinds: Collection[str] = ()
    run: str = ""
    agent: str = ""
    since: float = 0.0
    until: float = inf
    after: int = 0

    def takes(self, kind: str, at: float) -> bool:
        """Whether an entry of that kind and time may be one of them; the rest needs its body."""
        if not self.since <= at < self.until:
            return False
        return not self.kinds or any(fnmatchcase(kind, pattern) for pattern in self.kinds)

    def is_of_agent(self, stream: str, data: Mapping[str, object], runs: Collection[str]) -> bool:
        """Whether an entry is the agent's, when one is asked for.

        Args:
            runs: the ids of the agent's runs.
        """
        return not self.agent or data.get("agent") == self.agent or stream.partition("/")[2] in runs


def search(reader: Reader, wanted: Search, limit: int = -1) -> Iterator[Logged]:
    """The entries that fit, in the order in which they were committed, as they are read.

    A run's are found by an index; otherwise every entry behind `after` is read, 60,000 in a second.

    Args:
        limit: how many at most; all by default.

    Raises:
        ValueError: when `since` is not before `until`, or `limit` is no count.
        CorruptRecord: when an entry is not what was written.
    """
    if wanted.since >= wanted.until:
        raise ValueError(f"since={wanted.since:g} is not before until={wanted.until:g}: nothing lies between")
    if limit < -1:
        raise ValueError(f"limit={limit}: give how many entries at most, or -1 for all")
    rows = reader.read(f"run/{wanted.run}") if wanted.run else reader.log(wanted.after)
    runs = runs_of(reader, wanted.agent) if wanted.agent else frozenset()
    for row in rows:
        if limit == 0:
            return
        found = _found(row, wanted, runs)
        if found is not None:
            limit -= 1
            yield found


def runs_of(reader: Reader, agent: str) -> frozenset[str]:
    """The ids of an agent's runs."""
    return frozenset(row.key for row in reader.views("run") if row.data.get("agent") == agent)


def _found(row: EntryRow, wanted: Search, runs: Collection[str]) -> Logged | None:
    if row.seq <= wanted.after or not wanted.takes(row.kind, row.at):
        return None
    data = row.data
    if not wanted.is_of_agent(row.stream, data, runs):
        return None
    return Logged(row.seq, row.stream, row.position, row.kind, row.at, data)
