"""Which unfinished runs a runtime does not go on with: those whose agent is missing, or is not what it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import attrs

from choragus.mailbox.address import key_of, type_of
from choragus.mailbox.codec import decode
from choragus.mailbox.errors import CorruptRecord, UnknownRecord
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope

from .agent import Agent
from .inspection import runs, unfinished
from .manifest import manifest
from .message import ORCHESTRATOR, ForkRun, StartRun

OnChange = Literal["refuse", "warn"]


@attrs.frozen
class HeldRun:
    """An unfinished run that this runtime does not go on with, and why."""

    run: str
    agent: str
    reason: str


async def held_runs(store: Store, agents: Mapping[str, Agent], on_change: OnChange, now: float) -> tuple[HeldRun, ...]:
    """The runs to hold, also those that were started and had not taken their first turn."""
    found: list[HeldRun] = []
    begun = await runs(store)
    for summary in unfinished(begun):
        found += _hold(summary.run, summary.agent, summary.manifest, agents, on_change)
    known = {summary.run for summary in begun}
    for actor in await store.waiting(now):
        run = key_of(actor)
        if type_of(actor) == ORCHESTRATOR and run not in known:
            for envelope in await store.fetch(actor, 1, now):
                start = _start(envelope)
                found += _hold(run, start.agent, start.manifest, agents, on_change) if start else []
    return tuple(found)


def objection(name: str, was: str, agents: Mapping[str, Agent], on_change: OnChange) -> str:
    """Why a run of that agent is not gone on with, or nothing; `was` is the agent's manifest when the run began."""
    agent = agents.get(name)
    if agent is None:
        return f"its agent {name!r} is not among the runtime's: pass it in Runtime(agents=[...])"
    today = manifest(agent).hash
    if on_change == "warn" or today == was:
        return ""
    return (
        f"agent {name!r} has changed since it began (manifest {was[:12]} then, {today[:12]} now): open it with the "
        "agent as it was, or with Runtime(on_change='warn')"
    )


def _hold(run: str, name: str, was: str, agents: Mapping[str, Agent], on_change: OnChange) -> list[HeldRun]:
    reason = objection(name, was, agents, on_change)
    return [HeldRun(run, name, reason)] if reason else []


def _start(envelope: Envelope) -> StartRun | ForkRun | None:
    """The start that waits; anything else is for the actor to deal with."""
    try:
        message = decode(envelope.record)
    except (UnknownRecord, CorruptRecord):
        return None
    return message if isinstance(message, StartRun | ForkRun) else None
