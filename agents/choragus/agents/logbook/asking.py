"""Searching the logbook of a runtime that is open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from math import inf

import msgspec

from choragus.agents.inspection import find_run, runs
from choragus.agents.stream import run_stream
from choragus.mailbox.store import Store
from choragus.mailbox.turn import LogEntry

from .query import Logged, Search

PAGE = 500


async def logged(
    store: Store,
    place: str,
    *,
    kind: str | Iterable[str] = (),
    run: str = "",
    agent: str = "",
    since: float = 0.0,
    until: float = inf,
    after: int = 0,
) -> AsyncIterator[Logged]:
    """The entries that fit, in the order in which they were committed; what is committed meanwhile comes too.

    Raises:
        UnknownRun: when there is no such run.
        ValueError: when `since` is not before `until`.
        CorruptRecord: when an entry is not what was written.
    """
    if since >= until:
        raise ValueError(f"since={since:g} is not before until={until:g}: nothing lies between")
    run = (await find_run(store, run, place)).run if run else ""
    kinds = (kind,) if isinstance(kind, str) else tuple(kind)
    wanted = Search(kinds=kinds, run=run, agent=agent, since=since, until=until, after=after)
    theirs = frozenset(one.run for one in await runs(store) if one.agent == agent) if agent else frozenset()
    async for entry in _entries(store, run, after):
        if entry.seq <= after or not wanted.takes(entry.kind, entry.at):
            continue
        data: dict[str, object] = msgspec.json.decode(entry.body)
        if wanted.is_of_agent(entry.stream, data, theirs):
            yield Logged(entry.seq, entry.stream, entry.position, entry.kind, entry.at, data)


async def _entries(store: Store, run: str, after: int) -> AsyncIterator[LogEntry]:
    place = 0 if run else after
    while page := await (store.read(run_stream(run), place, PAGE) if run else store.log(place, PAGE)):
        for entry in page:
            yield entry
        place = page[-1].position if run else page[-1].seq
