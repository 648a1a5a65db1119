"""`choragus fork`: a new run from the past of another."""

from __future__ import annotations

from choragus.agents.errors import UnknownRun
from choragus.agents.fork import fork_id, parent, standing_at
from choragus.agents.message import ORCHESTRATOR, ForkRun
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .exit import Exit
from .session import Session
from .text import visible


async def fork(session: Session) -> Exit:
    """Post a fork, bound to the position as it is printed here."""
    asked, store = session.asked, session.store
    by = session.by
    try:
        of = await parent(store, asked.run, session.file)
    except UnknownRun:
        of = await session.run(asked.run)  # says how many begin so
    id, there = await fork_id(store, of, asked.at, asked.key)
    if there is not None:
        print(visible(f"run {id} is that fork already: run {of.run} at {there.position}"))
        return Exit.OK
    standing = await standing_at(store, of.run, asked.at)
    position = standing.position
    print(visible(f"run {id}: run {of.run} at {position}, step {standing.step}"))
    message = ForkRun(run=of.run, at=position, agent=of.agent, key=asked.key, manifest=of.manifest, by=by)
    fate = await post(store, actor_id(ORCHESTRATOR, id), message)
    return session.report(fate, f"forked by {by}: {session.command('show', id)}")
