"""`choragus approvals`, `approve`, `deny` and `answer`: what waits for a person, and the person's word."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from uuid import uuid4

import attrs

from choragus.agents.approval import CEILING, Approval, as_fields
from choragus.agents.inspection import RunSummary, Unknown, approvals, runs, unknowns
from choragus.agents.limits import CEILINGS
from choragus.agents.message import GUARDRAIL, TOOL_GATEWAY, Decide, SettleCall
from choragus.agents.question import fault
from choragus.agents.rulebook import MAIN, RULEBOOK, AddRule, Rule
from choragus.agents.visit import Fate, Recorded, post, recorded
from choragus.mailbox.address import actor_id

from .command import Commands, add_person, add_reason, command
from .exit import Exit, Refused
from .request import arguments, request, wrapped
from .session import Session
from .text import block, page, visible

SEEN = 8
"""Digits of the arguments' hash that bind a decision to what was listed."""


def declare(commands: Commands) -> None:
    """`approvals`, `approve`, `deny` and `answer`."""
    listed = command(
        commands,
        "approvals",
        show_approvals,
        "Each call, text or question that waits for a person, and each call whose outcome is unknown since\n"
        "its process died, with what it takes to decide and the commands that do. Arguments are JSON, one\n"
        "to a line behind `|`; a line behind `:` continues the one above. What cannot be seen plainly, such\n"
        "as control characters and marks that turn text around, is shown as an escape. Nothing is cut.",
        "choragus approvals runs.db",
    )
    listed.add_argument("--json", action="store_true", help="the same as JSON, one to a line")
    for name, approved, then in (
        ("approve", True, "the call runs with exactly these arguments"),
        ("deny", False, "the call does not run; the model reads the reason and goes on"),
    ):
        one = command(
            commands,
            name,
            decide,
            f"Decide about one call: {then}.\nThe decision is bound to the hash of the arguments, which are printed.",
            f"choragus {name} runs.db 7f3a --by mia --reason 'as agreed on Monday'"
            + ("\n  choragus approve runs.db 7f3a --set amount=120.00 --always 5" if approved else ""),
        )
        one.set_defaults(approved=approved)
        _add_approval(one)
        add_reason(one)
        if approved:
            change = "run it with another value: JSON, or plain text where text was; may be repeated"
            one.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=change)
            again = "also let the next N calls with exactly these arguments run without a question"
            one.add_argument("--always", metavar="N", type=int, help=again)
    one = command(
        commands,
        "answer",
        answer,
        "Answer a question: with one of its options, or freely when it has none. The model reads the text.",
        "choragus answer runs.db 7f3a 'next week' --by mia",
    )
    _add_approval(one)
    one.add_argument("text", metavar="TEXT", help="the answer")


async def show_approvals(session: Session) -> Exit:
    """Print what waits for a person, with exact arguments and the commands that decide; or as JSON, one to a line."""
    of = {summary.run: summary for summary in await runs(session.store)}
    asked = [one for one in await approvals(session.store) if not of[one.run].status.is_final]
    lost = await unknowns(session.store)
    if session.asked.json:
        for fields in (*map(as_fields, asked), *({"kind": "unknown", **attrs.asdict(one)} for one in lost)):
            print(json.dumps(fields))
        return Exit.OK
    parts = [await _approval(session, one) for one in asked]
    parts += [await _unknown(session, one, of[one.run]) for one in lost]
    if not parts:
        print(visible(f"nothing in {session.file} waits for a person"))
    print("\n\n".join("\n".join(lines) for lines in parts), end="\n" if parts else "")
    return Exit.OK


async def decide(session: Session) -> Exit:
    """Post a decision, bound to the arguments as they are printed here."""
    approved: bool = session.asked.approved
    approval = await _named(session)
    edits = _edits(approval, session.asked.set) if approved else None
    if approval.kind == "question" and approved:
        raise Refused(f"{approval.id} is a question: {session.command('answer', approval.id, 'TEXT')}")
    message = _decision(session, approval, approved, arguments=edits)
    print(visible(f"call {approval.call} of run {approval.run}: {approval.tool or approval.kind}"))
    shown = arguments({**approval.arguments, **(edits or {})}) if approval.tool else block([approval.text], page())
    print("\n".join(shown))
    rule = _rule(approval, message, session.asked.always) if approved and session.asked.always is not None else None
    fate = await _post(session, approval, message)
    code = session.report(fate, f"{_said(message)}: {_then(approval, message)}")
    if rule is None or code:
        return code
    fate = await post(session.store, actor_id(RULEBOOK, MAIN), AddRule(rule))
    return session.report(fate, f"rule {rule.id}: the next {rule.uses} such calls run without a question")


async def answer(session: Session) -> Exit:
    """Post the answer to a question of the model's."""
    approval = await _named(session)
    if approval.kind != "question":
        raise Refused(f"{approval.id} asks for a decision, not for an answer: approve it or deny it")
    if wrong := fault(session.asked.text, approval.options):
        raise Refused(wrong)
    message = _decision(session, approval, True, answer=session.asked.text)
    for line in block([approval.text], page()):
        print(line)
    fate = await _post(session, approval, message)
    return session.report(fate, f"answered by {message.by}: the model reads it, and the run goes on")


async def _named(session: Session) -> Approval:
    """The approval that was named, if it is still to be decided and is what was seen."""
    named = {one.id: one for one in await approvals(session.store)}
    approval = session.pick(session.asked.approval, named, "approval", "approvals")
    session.check_alive(await session.run(approval.run), "decide")
    _check_seen(session, approval, session.asked.seen)
    earlier = await _recorded(session, approval)
    if earlier and (session.by in [one.by for one in earlier] or not _missing(approval, earlier)):
        raise Refused(f"approval {approval.id} is already {_said(earlier[-1])}: {session.later}")
    return approval


def _decision(
    session: Session,
    approval: Approval,
    approved: bool,
    *,
    arguments: dict[str, object] | None = None,
    answer: str | None = None,
) -> Decide:
    try:
        return approval.decision(
            approved,
            by=session.by,
            reason=getattr(session.asked, "reason", ""),
            arguments=arguments,
            answer=answer,
            identity={"method": "command line", "login": session.login},
            seen="terminal",
        )
    except ValueError as error:
        raise Refused(str(error)) from None


def _edits(approval: Approval, given: Sequence[str]) -> dict[str, object] | None:
    """The arguments to change: text stays text where text was, all else is JSON."""
    edits: dict[str, object] = {}
    for one in given:
        name, equals, text = one.partition("=")
        if not (name and equals):
            raise Refused(f"--set {one!r} changes nothing: write --set NAME=VALUE")
        if approval.call.startswith(CEILING) and name not in CEILINGS:
            raise Refused(f"--set {one!r} raises nothing: {name!r} is no ceiling; those are {', '.join(CEILINGS)}")
        if isinstance(approval.arguments.get(name), str):
            edits[name] = text
            continue
        try:
            edits[name] = json.loads(text)
        except (json.JSONDecodeError, RecursionError):
            edits[name] = text
    return edits or None


def _rule(approval: Approval, message: Decide, uses: int) -> Rule:
    if approval.kind != "call" or uses < 1:
        raise Refused(f"--always {uses} makes no rule: it is for the next calls, 1 or more, that are as this one is")
    return Rule(
        id=uuid4().hex[:8],
        tool=approval.tool,
        arguments={**approval.arguments, **(message.arguments or {})},
        by=message.by,
        added=time.time(),
        uses=uses,
        agent=approval.agent,
        identity=message.identity,
    )


def _then(approval: Approval, message: Decide) -> str:
    given = () if message.arguments else approval.given
    left = approval.quorum - len({*given, message.by})
    return f"{left} more needed" if message.approved and left > 0 else "the run goes on"


async def settlement(session: Session, lost: Unknown) -> SettleCall | None:
    """A settlement that is recorded and that no runtime has taken up yet."""
    left = await recorded(session.store, actor_id(TOOL_GATEWAY, lost.run), SettleCall)
    return next((one for one in left if one.call == lost.call), None)


async def _approval(session: Session, approval: Approval) -> list[str]:
    lines = request(approval, time.time())
    earlier = await _recorded(session, approval)
    lines += [visible(f"  {_said(one)}; {session.later}") for one in earlier]
    if earlier and not _missing(approval, earlier):
        return lines
    seen = approval.hash[:SEEN]
    yes = ("answer", "TEXT") if approval.kind == "question" else ("approve",)
    return [
        *lines,
        f"  {session.command(yes[0], approval.id, *yes[1:], '--seen', seen)}",
        f"  {session.command('deny', approval.id, '--seen', seen, '--reason', 'why not')}",
    ]


async def _unknown(session: Session, lost: Unknown, of: RunSummary) -> list[str]:
    earlier = await settlement(session, lost)
    if earlier:
        commands = [visible(f"  settled by {earlier.by}; {session.later}")]
    else:
        ways = ("--happened", "--not", "--give-up")
        commands = [f"  {session.command('settle', lost.run, lost.call, way)}" for way in ways]
    head, *more = wrapped(f"outcome unknown  {lost.tool}: did it happen? {lost.reason}")
    return [
        head.lstrip(),
        *more,
        *_about(lost.call, of),
        visible(f"  its idempotency key: {lost.idempotency_key}"),
        *(wrapped(f"how to check: {lost.check}") if lost.check else []),
        *(wrapped(f"what the check has found: {lost.found}") if lost.found else []),
        *arguments(lost.arguments),
        *commands,
    ]


def _about(call: str, of: RunSummary) -> list[str]:
    return [visible(f"  call {call} of run {of.run}, agent {of.agent}"), *wrapped(f"goal: {of.goal}")]


async def _recorded(session: Session, approval: Approval) -> list[Decide]:
    """The decisions that are recorded and that no runtime has taken up yet, the oldest first."""
    left = await recorded(session.store, actor_id(GUARDRAIL, approval.run), Decide)
    return [one for one in left if (one.call, one.hash) == (approval.call, approval.hash) and _may(approval, one.by)]


def _missing(approval: Approval, recorded: Sequence[Decide]) -> int:
    """How many have to approve still when these decisions are taken up; one who denies is enough."""
    if not all(one.approved for one in recorded):
        return 0
    return max(0, approval.quorum - len({*approval.given, *(one.by for one in recorded)}))


def _may(approval: Approval, by: str) -> bool:
    """Whether that person may decide. When the time is up, others may by now."""
    lapsed = approval.due and time.time() >= approval.due
    return not approval.approvers or by in approval.approvers or bool(lapsed)


async def _post(session: Session, approval: Approval, message: Decide) -> Fate:
    """Post a decision, also one that will be refused: the logbook then has who has tried.

    Raises:
        Refused: when nobody has taken it up, and whoever does will refuse it.
    """
    fate = await post(session.store, actor_id(GUARDRAIL, approval.run), message)
    if isinstance(fate, Recorded) and not _may(approval, message.by):
        who = ", ".join(approval.approvers)
        raise Refused(f"{message.by!r} may not decide about call {approval.call}: it is put to {who}")
    return fate


def _check_seen(session: Session, approval: Approval, seen: str | None) -> None:
    if seen is not None and not (len(seen) >= SEEN and approval.hash.startswith(seen)):
        raise Refused(
            f"the arguments of approval {approval.id} are not those of hash {seen!r} (they are {approval.hash[:SEEN]}):"
            f" look at them again with `{session.command('approvals')}`"
        )


def _said(decision: Decide) -> str:
    why = f" ({decision.reason})" if decision.reason else ""
    done = "answered" if decision.answer is not None else "approved" if decision.approved else "denied"
    return f"{done} by {decision.by}{why}"


def _add_approval(one: ArgumentParser) -> None:
    one.add_argument("approval", metavar="ID", help="as in `choragus approvals`, or the beginning of it")
    one.add_argument("--seen", metavar="HASH", help="as listed; refuse when the arguments are others by now")
    add_person(one)
