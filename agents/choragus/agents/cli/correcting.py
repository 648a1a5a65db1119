"""`choragus correct`: a person says what a run should have answered."""

from __future__ import annotations

import json

from choragus.agents.correction import correction_of
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .session import Session


def declare(commands: Commands) -> None:
    """`correct`."""
    one = command(
        commands,
        "correct",
        correct,
        "The run stays as it ended; `choragus export` has the correction beside it, as the expected answer. A\n"
        "later correction replaces an earlier one. The process that owns the file checks it against the type\n"
        "of the agent's answers, or the next one that opens it.",
        "choragus correct runs.db 5f2c 'It rains.' --by mia --reason 'wrong day'\n"
        "  choragus correct runs.db 5f2c --json-value '{\"total\": 120}' --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    ways = one.add_mutually_exclusive_group(required=True)
    ways.add_argument("text", metavar="TEXT", nargs="?", help="what it should have answered")
    ways.add_argument("--json-value", metavar="JSON", help="the same, of an agent whose answers are of a type")
    add_person(one)
    add_json(one, "what became of it, as JSON")
    add_reason(one)


async def correct(session: Session) -> Exit:
    """Post a correction."""
    asked = session.asked
    answer = asked.text if asked.json_value is None else _value(asked.json_value)
    try:
        message = correction_of(answer, session.by, asked.reason, None)
    except ValueError as error:
        raise Refused(str(error)) from None
    summary = await session.run(asked.run)
    if not summary.status.is_final:
        goes_on = f"run {summary.run} goes on ({summary.status.value}) and has no answer yet"
        raise Refused(f"{goes_on}: wait for its end, or `{session.command('cancel', summary.run)}`")
    fate = await post(session.store, actor_id(ORCHESTRATOR, summary.run), message)
    return session.report(fate, f"run {summary.run} is corrected by {message.by}: it should have answered otherwise")


def _value(given: str) -> str:
    """The value as JSON in one form, whoever typed it."""
    try:
        return json.dumps(json.loads(given), ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        raise Refused(f"--json-value {given!r} is no JSON ({error}): put texts in double quotes") from None
