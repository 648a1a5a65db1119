"""`choragus approve`, `deny` and `answer`: a person's word on what waits for it."""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Sequence
from uuid import uuid4

from choragus.agents.answers import CEILING
from choragus.agents.approval import Approval
from choragus.agents.inspection import approvals
from choragus.agents.limits import CEILINGS
from choragus.agents.message import GUARDRAIL, Decide
from choragus.agents.question import fault
from choragus.agents.rulebook import MAIN, RULEBOOK, AddRule, Rule
from choragus.agents.visit import Fate, Recorded, post, recorded
from choragus.mailbox.address import actor_id

from .command import Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .request import arguments
from .session import Session
from .text import block, page
from .vote import SEEN, may_decide, missing, said


def declare(commands: Commands) -> None:
    """`approve`, `deny` and `answer`."""
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


async def decide(session: Session) -> Exit:
    """Post a decision, bound to the arguments as they are printed here."""
    approved: bool = session.asked.approved
    approval = await _named(session)
    edits = _edits(approval, session.asked.set) if approved else None
    if approval.kind == "question" and approved:
        raise Refused(f"{approval.id} is a question: {session.command('answer', approval.id, 'TEXT')}")
    message = _decision(session, approval, approved, arguments=edits)
    session.say(f"call {approval.call} of run {approval.run}: {approval.tool or approval.kind}")
    shown = arguments({**approval.arguments, **(edits or {})}) if approval.tool else block([approval.text], page())
    session.say(*shown)
    rule = _rule(approval, message, session.asked.always) if approved and session.asked.always is not None else None
    fate = await _post(session, approval, message)
    code = session.report(fate, f"{said(message)}: {_then(approval, message)}", approval=approval.id, run=approval.run)
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
    session.say(*block([approval.text], page()))
    fate = await _post(session, approval, message)
    return session.report(
        fate, f"answered by {message.by}: the model reads it, and the run goes on", approval=approval.id
    )


async def _named(session: Session) -> Approval:
    """The approval that was named, if it is still to be decided and is what was seen."""
    named = {one.id: one for one in await approvals(session.store)}
    approval = session.pick(session.asked.approval, named, "approval", "approvals")
    session.check_alive(await session.run(approval.run), "decide")
    _check_seen(session, approval, session.asked.seen)
    earlier = await _recorded(session, approval)
    if earlier and (session.by in [one.by for one in earlier] or not missing(approval, earlier)):
        raise Refused(f"approval {approval.id} is already {said(earlier[-1])}: {session.later}")
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


async def _recorded(session: Session, approval: Approval) -> list[Decide]:
    """The decisions that are recorded and that no runtime has taken up yet, the oldest first."""
    left = await recorded(session.store, actor_id(GUARDRAIL, approval.run), Decide)
    return [
        one for one in left if (one.call, one.hash) == (approval.call, approval.hash) and may_decide(approval, one.by)
    ]


async def _post(session: Session, approval: Approval, message: Decide) -> Fate:
    """Post a decision, also one that will be refused: the logbook then has who has tried.

    Raises:
        Refused: when nobody has taken it up, and whoever does will refuse it.
    """
    fate = await post(session.store, actor_id(GUARDRAIL, approval.run), message)
    if isinstance(fate, Recorded) and not may_decide(approval, message.by):
        who = ", ".join(approval.approvers)
        raise Refused(f"{message.by!r} may not decide about call {approval.call}: it is put to {who}")
    return fate


def _check_seen(session: Session, approval: Approval, seen: str | None) -> None:
    if seen is not None and not (len(seen) >= SEEN and approval.hash.startswith(seen)):
        raise Refused(
            f"the arguments of approval {approval.id} are not those of hash {seen!r} (they are {approval.hash[:SEEN]}):"
            f" look at them again with `{session.command('approvals')}`"
        )


def _add_approval(one: ArgumentParser) -> None:
    one.add_argument("approval", metavar="ID", help="as in `choragus approvals`, or the beginning of it")
    one.add_argument("--seen", metavar="HASH", help="as listed; refuse when the arguments are others by now")
    add_person(one)
    add_json(one, "what became of it, as JSON")
