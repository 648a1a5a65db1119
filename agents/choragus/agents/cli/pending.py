"""`choragus approvals`: what waits for a person, and the commands that decide."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import NamedTuple

from choragus.mailbox.reader_mail import waiting

from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .record import AskedRow, RunRow, UnknownRow, asked_rows, find_run, unknown_rows
from .request import arguments, request, wrapped
from .text import visible
from .vote import SEEN, may_decide, missing, said


class Recorded(NamedTuple):
    """A decision that is recorded and that no runtime has taken up yet."""

    approved: bool
    by: str
    reason: str
    answer: str | None


def declare(commands: Commands) -> None:
    """`approvals`."""
    one = reading(
        commands,
        "approvals",
        show_approvals,
        "Each call, text or question that waits for a person, and each call whose outcome is unknown since\n"
        "its process died, with what it takes to decide and the commands that do. Arguments are JSON, one\n"
        "to a line behind `|`; a line behind `:` continues the one above. What cannot be seen plainly, such\n"
        "as control characters and marks that turn text around, is shown as an escape. Nothing is cut.",
        "choragus approvals runs.db",
    )
    add_json(one, "the same as JSON, one to a line")


def show_approvals(glance: Glance) -> Exit:
    """Print what waits for a person, with exact arguments and the commands that decide; or as JSON, one to a line."""
    asked, lost = asked_rows(glance), unknown_rows(glance)
    if glance.asked.json:
        for one in asked:
            print(json.dumps({**one._asdict(), "answers": one.answers()}))
        for call in lost:
            print(json.dumps({"kind": "unknown", **call._asdict()}))
        return Exit.OK
    is_first = True
    for lines in (*(_approval(glance, one) for one in asked), *(_unknown(glance, one) for one in lost)):
        print(("" if is_first else "\n") + "\n".join(lines))
        is_first = False
    if is_first:
        print(visible(f"nothing in {glance.file} waits for a person"))
    return Exit.OK


def _approval(glance: Glance, one: AskedRow) -> list[str]:
    lines = request(one, time.time())
    earlier = _recorded(glance, one)
    lines += [visible(f"  {said(each)}; {glance.later}") for each in earlier]
    if earlier and not missing(one, earlier):
        return lines
    seen = one.hash[:SEEN]
    yes = ("answer", "TEXT") if one.kind == "question" else ("approve",)
    return [
        *lines,
        f"  {glance.command(yes[0], one.id, *yes[1:], '--seen', seen)}",
        f"  {glance.command('deny', one.id, '--seen', seen, '--reason', 'why not')}",
    ]


def _unknown(glance: Glance, lost: UnknownRow) -> list[str]:
    settled = [
        one
        for one in _mail(glance, f"choragus.tool_gateway/{lost.run}", "choragus.settle_call")
        if one["call"] == lost.call
    ]
    if settled:
        commands = [visible(f"  settled by {settled[0]['by']}; {glance.later}")]
    else:
        ways = ("--happened", "--not", "--give-up")
        commands = [f"  {glance.command('settle', lost.run, lost.call, way)}" for way in ways]
    head, *more = wrapped(f"outcome unknown  {lost.tool}: did it happen? {lost.reason}")
    return [
        head.lstrip(),
        *more,
        *_about(lost.call, find_run(glance, lost.run) or RunRow(lost.run, "")),
        visible(f"  its idempotency key: {lost.idempotency_key}"),
        *(wrapped(f"how to check: {lost.check}") if lost.check else []),
        *(wrapped(f"what the check has found: {lost.found}") if lost.found else []),
        *arguments(lost.arguments),
        *commands,
    ]


def _about(call: str, of: RunRow) -> list[str]:
    return [visible(f"  call {call} of run {of.run}, agent {of.agent}"), *wrapped(f"goal: {of.goal}")]


def _recorded(glance: Glance, one: AskedRow) -> Sequence[Recorded]:
    """The decisions about it that are recorded and not taken up, the oldest first."""
    found = _mail(glance, f"choragus.guardrail/{one.run}", "choragus.decide")
    return [
        Recorded(each["approved"] is True, str(each["by"]), str(each.get("reason") or ""), _text(each.get("answer")))
        for each in found
        if (each["call"], each["hash"]) == (one.call, one.hash) and may_decide(one, str(each["by"]))
    ]


def _mail(glance: Glance, receiver: str, tag: str) -> list[dict[str, object]]:
    return [json.loads(mail.body) for mail in waiting(glance.reader, receiver, time.time()) if mail.tag == tag]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
