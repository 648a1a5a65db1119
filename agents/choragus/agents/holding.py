"""Which unfinished runs a runtime does not go on with: those whose agent is missing, or is not what it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
from .policy.chain import Policy

OnChange = Literal["refuse", "warn"]


@attrs.frozen
class HeldRun:
    """An unfinished run that this runtime does not go on with, and why."""

    run: str
    agent: str
    reason: str


async def held_runs(
    store: Store, agents: Mapping[str, Agent[object]], on_change: OnChange, now: float, common: Sequence[Policy] = ()
) -> tuple[HeldRun, ...]:
    """The runs to hold, also those that were started and had not taken their first turn."""
    found: list[HeldRun] = []
    begun = await runs(store)
    for summary in unfinished(begun):
        found += _hold(
            summary.run, objection(summary.agent, summary.manifest, agents, on_change, common), summary.agent
        )
    known = {summary.run for summary in begun}
    for actor in await store.waiting(now):
        run = key_of(actor)
        if type_of(actor) == ORCHESTRATOR and run not in known:
            for envelope in await store.fetch(actor, 1, now):
                start = _start(envelope)
                if start:
                    found += _hold(run, objection(start.agent, start.manifest, agents, on_change, common), start.agent)
    return tuple(found)


def objection(
    name: str, was: str, agents: Mapping[str, Agent[object]], on_change: OnChange, common: Sequence[Policy] = ()
) -> str:
    """Why a run of that agent is not gone on with, or nothing; `was` is the agent's manifest when the run began."""
    agent = agents.get(name)
    if agent is None:
        return f"its agent {name!r} is not among the runtime's: pass it in Runtime(agents=[...])"
    today = manifest(agent, common).hash
    if on_change == "warn" or today == was:
        return ""
    return (
        f"agent {name!r} has changed since it began (manifest {was[:12]} then, {today[:12]} now): open it with the "
        "agent as it was, or with Runtime(on_change='warn')"
    )


def _hold(run: str, reason: str, name: str) -> list[HeldRun]:
    return [HeldRun(run, name, reason)] if reason else []


def _start(envelope: Envelope) -> StartRun | ForkRun | None:
    """The start that waits; anything else is for the actor to deal with."""
    try:
        message = decode(envelope.record)
    except (UnknownRecord, CorruptRecord):
        return None
    return message if isinstance(message, StartRun | ForkRun) else None
