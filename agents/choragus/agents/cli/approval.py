"""`choragus approvals`, `approve` and `deny`: what waits for a person, and the person's word."""

from __future__ import annotations

import time
from collections.abc import Mapping

from choragus.agents.approval import Approval
from choragus.agents.inspection import RunSummary, Unknown, approvals, runs, unknowns
from choragus.agents.message import GUARDRAIL, TOOL_GATEWAY, Decide, SettleCall
from choragus.agents.visit import post, recorded
from choragus.mailbox.address import actor_id

from .exit import Exit, Refused
from .session import Session
from .text import as_json, block, duration, moment, page, short, visible

SEEN = 8
"""Digits of the arguments' hash that bind a decision to what was listed."""


async def show_approvals(session: Session) -> Exit:
    """Print each call that waits for a person, with its exact arguments and the commands that decide."""
    of = {summary.run: summary for summary in await runs(session.store)}
    asked = [one for one in await approvals(session.store) if not of[one.run].status.is_final]
    parts = [await _approval(session, one, of[one.run]) for one in asked]
    parts += [await _unknown(session, one, of[one.run]) for one in await unknowns(session.store)]
    if not parts:
        print(visible(f"nothing in {session.file} waits for a person"))
    print("\n\n".join("\n".join(lines) for lines in parts), end="\n" if parts else "")
    return Exit.OK


async def decide(session: Session) -> Exit:
    """Post a decision, bound to the arguments as they are printed here."""
    approved: bool = session.asked.approved
    named = {one.id: one for one in await approvals(session.store)}
    approval = session.pick(session.asked.approval, named, "approval", "approvals")
    session.check_alive(await session.run(approval.run), "decide")
    _check_seen(session, approval, session.asked.seen)
    by = session.by
    if earlier := await _decision(session, approval):
        raise Refused(f"approval {approval.id} is already {_said(earlier)}: {session.later}")
    print(visible(f"call {approval.call} of run {approval.run}: {approval.tool}"))
    for line in arguments(approval.arguments):
        print(line)
    message = Decide(call=approval.call, approved=approved, by=by, hash=approval.hash, reason=session.asked.reason)
    fate = await post(session.store, actor_id(GUARDRAIL, approval.run), message)
    return session.report(fate, f"{_said(message)}: the run goes on")


def arguments(given: Mapping[str, object]) -> list[str]:
    """Exact arguments, one to a line, as JSON."""
    return block([f"{as_json(name)}: {as_json(value)}" for name, value in given.items()] or ["{}"], page())


async def settlement(session: Session, lost: Unknown) -> SettleCall | None:
    """A settlement that is recorded and that no runtime has taken up yet."""
    left = await recorded(session.store, actor_id(TOOL_GATEWAY, lost.run), SettleCall)
    return next((one for one in left if one.call == lost.call), None)


async def _approval(session: Session, approval: Approval, of: RunSummary) -> list[str]:
    earlier = await _decision(session, approval)
    seen = approval.hash[:SEEN]
    if earlier:
        commands = [visible(f"  {_said(earlier)}; {session.later}")]
    else:
        commands = [
            f"  {session.command('approve', approval.id, '--seen', seen)}",
            f"  {session.command('deny', approval.id, '--seen', seen, '--reason', 'why not')}",
        ]
    age = duration(time.time() - approval.asked)
    return [
        visible(f"{approval.id}  {approval.tool}: may it run? Asked {moment(approval.asked)}, {age} ago"),
        *_about(approval.call, of),
        *arguments(approval.arguments),
        *commands,
    ]


async def _unknown(session: Session, lost: Unknown, of: RunSummary) -> list[str]:
    earlier = await settlement(session, lost)
    if earlier:
        commands = [visible(f"  settled by {earlier.by}; {session.later}")]
    else:
        ways = ("--happened", "--not", "--give-up")
        commands = [f"  {session.command('settle', lost.run, lost.call, way)}" for way in ways]
    return [
        visible(f"outcome unknown  {lost.tool}: did it happen? {lost.reason}"),
        *_about(lost.call, of),
        visible(f"  its idempotency key: {lost.idempotency_key}"),
        *([visible(f"  how to check: {lost.check}")] if lost.check else []),
        *([visible(f"  what the check has found: {lost.found}")] if lost.found else []),
        *arguments(lost.arguments),
        *commands,
    ]


def _about(call: str, of: RunSummary) -> list[str]:
    return [visible(f"  call {call} of run {of.run}, agent {of.agent}"), short(visible(f"  goal: {of.goal}"), page())]


async def _decision(session: Session, approval: Approval) -> Decide | None:
    """A decision that is recorded and that no runtime has taken up yet."""
    left = await recorded(session.store, actor_id(GUARDRAIL, approval.run), Decide)
    return next((one for one in left if (one.call, one.hash) == (approval.call, approval.hash)), None)


def _check_seen(session: Session, approval: Approval, seen: str | None) -> None:
    if seen is not None and not (len(seen) >= SEEN and approval.hash.startswith(seen)):
        raise Refused(
            f"the arguments of approval {approval.id} are not those of hash {seen!r} (they are {approval.hash[:SEEN]}):"
            f" look at them again with `{session.command('approvals')}`"
        )


def _said(decision: Decide) -> str:
    why = f" ({decision.reason})" if decision.reason else ""
    return f"{'approved' if decision.approved else 'denied'} by {decision.by}{why}"
