"""Taking what a person has sent: bound to the hash that was on the page, and given to whoever owns the file.

Mounted beside the runtime that is the runtime itself; else a message is left in the file, as the command line does it.
"""

from __future__ import annotations

from typing import Protocol

import anyio
import attrs

from choragus.agents.approval import Approval
from choragus.agents.asgi import Decisions, Problem
from choragus.agents.errors import AgentError, DecisionRefused
from choragus.agents.inspection import Unknown
from choragus.agents.inspection import approvals as stored_approvals
from choragus.agents.inspection import unknowns as stored_unknowns
from choragus.agents.message import GUARDRAIL, TOOL_GATEWAY, Decide, SettleCall
from choragus.agents.question import fault
from choragus.agents.visit import Fate, Handled, SetAside, post, recorded
from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.errors import StoreError
from choragus.mailbox.sqlite import SqliteStore

from .cards import OUTCOMES, edits
from .visitor import Visitor

DONE = "done"
"""It has been taken up."""

LEFT = "left"
"""It is on disk, and nobody has taken it up so far."""


class Desk(Protocol):
    """Where decisions go."""

    async def pending(self) -> list[Approval]:
        """What waits for a person."""

    async def unknown(self) -> list[Unknown]:
        """The calls of unknown outcome."""

    async def decide(self, approval: Approval, decision: Decide) -> str:
        """Have it taken, and say `DONE` or `LEFT`; raises Problem when it is refused."""

    async def settle(self, lost: Unknown, word: SettleCall) -> str:
        """The same for a call of unknown outcome."""


@attrs.frozen
class Owner:
    """The runtime in this process."""

    runtime: Decisions

    async def pending(self) -> list[Approval]:
        """See `Desk`."""
        return await self.runtime.pending()

    async def unknown(self) -> list[Unknown]:
        """See `Desk`."""
        return await self.runtime.unknown()

    async def decide(self, approval: Approval, decision: Decide) -> str:
        """See `Desk`."""
        try:
            await approval.send(decision)
        except DecisionRefused as error:
            raise Problem(409, "refused", error.reason) from None
        except AgentError as error:
            raise Problem(409, "held", str(error)) from None
        return DONE

    async def settle(self, lost: Unknown, word: SettleCall) -> str:
        """See `Desk`."""
        try:
            run = await self.runtime.run(lost.run)
            await run.settle(lost, word.outcome, by=word.by, result=word.result)
        except AgentError as error:
            raise Problem(409, "refused", str(error)) from None
        return DONE


@attrs.frozen
class Leaving:
    """A message in the file, for the process that owns it, or the next one that does."""

    path: str

    async def pending(self) -> list[Approval]:
        """See `Desk`."""
        async with _Visit(self.path) as store:
            return await stored_approvals(store)

    async def unknown(self) -> list[Unknown]:
        """See `Desk`."""
        async with _Visit(self.path) as store:
            return await stored_unknowns(store)

    async def decide(self, approval: Approval, decision: Decide) -> str:
        """See `Desk`."""
        async with _Visit(self.path) as store:
            to = actor_id(GUARDRAIL, approval.run)
            left = await recorded(store, to, Decide)
            if any((one.call, one.hash, one.by) == (decision.call, decision.hash, decision.by) for one in left):
                raise Problem(
                    409, "recorded", f"{decision.by} has decided about it already: that waits for the runtime"
                )
            return _told(await _posted(store, to, decision))

    async def settle(self, lost: Unknown, word: SettleCall) -> str:
        """See `Desk`."""
        async with _Visit(self.path) as store:
            to = actor_id(TOOL_GATEWAY, lost.run)
            if any(one.call == word.call for one in await recorded(store, to, SettleCall)):
                raise Problem(409, "recorded", f"call {word.call} is settled already: that waits for the runtime")
            return _told(await _posted(store, to, word))


@attrs.define
class _Visit:
    """The file, open for as long as one decision takes."""

    path: str
    store: SqliteStore | None = None

    async def __aenter__(self) -> SqliteStore:
        try:
            self.store = await SqliteStore.open(self.path, visitor=True)
        except StoreError as error:
            raise Problem(503, "file", str(error)) from None
        return self.store

    async def __aexit__(self, *_: object) -> None:
        assert self.store is not None
        with anyio.CancelScope(shield=True):
            await self.store.close()


async def decide(desk: Desk, id: str, visitor: Visitor) -> str:
    """Take the decision that a form holds.

    Raises:
        Problem: when there is no such approval, it is another one by now, or the decision is refused.
    """
    form = visitor.form
    approval = next((one for one in await desk.pending() if one.id == id), None)
    if approval is None:
        raise Problem(404, "no-approval", f"no approval {id[:80]!r} waits: it was decided, has lapsed, or never was")
    if approval.hash != form.get("hash"):
        raise Problem(409, "changed", "it is not what you were shown: look at it again")
    return await desk.decide(approval, _decision(approval, visitor))


async def settle(desk: Desk, visitor: Visitor) -> str:
    """Take the word on a call of unknown outcome that a form holds; raises Problem as `decide`."""
    form = visitor.form
    run, call, outcome, by = (form.get(name, "") for name in ("run", "call", "outcome", "by"))
    lost = next((one for one in await desk.unknown() if (one.run, one.call) == (run, call)), None)
    if lost is None:
        raise Problem(404, "not-unknown", f"call {call[:80]!r} of run {run[:80]!r} is not of unknown outcome")
    if lost.attempt != form.get("attempt"):
        raise Problem(409, "changed", f"call {lost.call} has run again: look at it again")
    if outcome not in dict(OUTCOMES):
        raise Problem(422, "unfit", "say what became of it: happened, not, or give_up")
    by = visitor.by or by.strip()
    if not by or len(by) > 200:
        raise Problem(422, "unfit", "nobody is named as deciding: say who, in at most 200 characters")
    result = form.get("result", "") if outcome == "happened" else ""
    return await desk.settle(lost, SettleCall(call=call, outcome=outcome, by=by, result=result, attempt=lost.attempt))


def _decision(approval: Approval, visitor: Visitor) -> Decide:
    form = visitor.form
    word = form.get("decision")
    if word not in ("deny", "answer" if approval.kind == "question" else "approve"):
        raise Problem(422, "unfit", "say what you decide, by one of the buttons")
    answer = form.get("answer", "") if word == "answer" else None
    if answer is not None and (wrong := fault(answer, approval.options)):
        raise Problem(422, "unfit", wrong)
    try:
        return approval.decision(
            word != "deny",
            by=visitor.by or form.get("by", ""),
            reason=form.get("reason", ""),
            arguments=edits(approval, form) if word == "approve" else None,
            answer=answer,
            identity={"method": "page by the host" if visitor.by else "page", "client": visitor.client},
            seen="page",
        )
    except ValueError as error:
        raise Problem(422, "unfit", str(error)) from None


async def _posted(store: SqliteStore, to: ActorId, message: object) -> Fate:
    try:
        return await post(store, to, message)
    except ValueError as error:
        raise Problem(422, "unfit", str(error)) from None


def _told(fate: Fate) -> str:
    match fate:
        case Handled(reply) if isinstance(reply, str) and reply:
            raise Problem(409, "refused", reply)
        case Handled():
            return DONE
        case SetAside(reason):
            raise Problem(409, "parked", f"it could not be handled, and is parked: {reason}")
    return LEFT
