"""Who answers where a run asks a person: an evaluation has none, so it is said beforehand what happens."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Literal, TypeAlias

import anyio

from choragus.agents.approval import Approval
from choragus.agents.errors import AgentError, DecisionRefused, EvaluationFault
from choragus.agents.inspection import ASKING
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime

People: TypeAlias = Literal["cancel", "deny", "approve"] | Callable[[Approval], Awaitable[bool | None] | bool | None]
"""What happens where a run asks: it ends as cancelled; the call is denied, or approved; or a function says True to
approve, False to deny and None to end the run. In any case the run counts as one that needed a person."""

BY = "evaluation"


def check_people(people: object) -> None:
    """Refuse what is no way to answer; raises EvaluationFault."""
    if people not in ("cancel", "deny", "approve") and not callable(people):
        raise EvaluationFault(f"people={people!r} is none of 'cancel', 'deny', 'approve', or a function of an Approval")


async def to_its_end(runtime: Runtime, run: Run[object], people: People) -> None:
    """Wait until a run has ended, and answer meanwhile what it and its sub-runs ask."""
    try:
        await _watched(runtime, run, people)
    except BaseExceptionGroup as group:
        raise _first(group) from None


def _first(error: BaseException) -> BaseException:
    """What lies in a group of errors, where one is as good as all: the evaluation ends with it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _watched(runtime: Runtime, run: Run[object], people: People) -> None:
    async with anyio.create_task_group() as group:

        async def watch(one: Run[object]) -> None:
            async for event in one.events():
                if event.kind == "child.started":
                    group.start_soon(watch, await runtime.run(str(event.data["run"])))
                elif event.kind in ASKING:
                    for approval in await one.pending():
                        await _answer(run, one, approval, people)
                elif event.kind == "call.unknown" and await one.unknown():
                    await run.cancel(by=BY, reason="nobody knows what became of a call, and there is nobody to ask")

        await watch(run)
        group.cancel_scope.cancel()  # a sub-run that goes on is ended by its parent


async def _answer(run: Run[object], asking: Run[object], approval: Approval, people: People) -> None:
    """Answer what that run asks, or end the run of the trial: it, or the one that it was begun by."""
    try:
        said = await _said(approval, people)
        if said is None:
            await run.cancel(by=BY, reason=f"it asks a person, and an evaluation has none: {approval.tool}")
        elif said:
            await approval.approve(by=BY, reason="evaluation")
            if await _waits(asking, approval):
                why = f"its question could not be answered: {approval.quorum} people have to approve {approval.tool}"
                await run.cancel(by=BY, reason=why)
        else:
            await approval.deny(by=BY, reason="there is nobody to ask")
    except EvaluationFault:
        raise
    except DecisionRefused as error:
        if await _waits(asking, approval):  # for others; else it was decided in between
            await run.cancel(by=BY, reason=f"its question could not be answered: {error}")
        return
    except AgentError as error:
        await run.cancel(by=BY, reason=f"its question could not be answered: {error}")


async def _said(approval: Approval, people: People) -> bool | None:
    if not callable(people):
        return {"cancel": None, "deny": False, "approve": True}[people]
    given = people(approval)
    said: object = await given if inspect.isawaitable(given) else given
    if said is None or isinstance(said, bool):
        return said
    raise EvaluationFault(f"people= said {said!r:.80} of {approval.tool}: give True to approve, False to deny, or None")


async def _waits(run: Run[object], approval: Approval) -> bool:
    """Whether the same question still waits."""
    return any(
        (one.id, one.hash, one.level) == (approval.id, approval.hash, approval.level) for one in await run.pending()
    )
