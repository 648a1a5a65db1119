"""What a person says that a run should have answered: the message, and what can be no such answer. Pure."""

from __future__ import annotations

import attrs
import msgspec

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .errors import AgentFault
from .output import Output
from .storable import storable

LONGEST = 100_000
"""Characters of a corrected answer; a reason may have 10,000, a name 200."""


@stored("choragus.correct_run")
@attrs.frozen(kw_only=True)
class CorrectRun(Request[str]):
    """To the orchestrator of a run that has ended: this is what it should have answered. The reply says why not."""

    answer: str
    by: str
    reason: str = ""


@attrs.frozen(kw_only=True)
class Correction:
    """What a person says that a run should have answered; the `number`-th that somebody said of it."""

    answer: str
    by: str
    reason: str
    at: float
    number: int = 1


def correction_of(answer: object, by: object, reason: object, output: Output[object] | None) -> CorrectRun:
    """The message that says this.

    Args:
        answer: text, or for an agent whose answers are of a type such a value; text is then the JSON of one.

    Raises:
        AgentFault: when the answer is nothing that a run could have answered.
        ValueError: when nobody is named, or a text is too long.
    """
    text = answer if isinstance(answer, str) else _written(answer, output)
    for name, value, most in (("answer", text, LONGEST), ("by", by, 200), ("reason", reason, 10_000)):
        if not isinstance(value, str) or storable(value) != value:
            raise ValueError(f"{name}={value!r} must be text")
        if len(value) > most:
            raise ValueError(f"{name} has {len(value):,} characters, and {most:,} are the most: shorten it")
    message = CorrectRun(answer=text, by=str(by).strip(), reason=str(reason))
    if why := fault_of_correction(message):
        raise ValueError(why)
    return message


def fault_of_correction(message: CorrectRun) -> str:
    """What nobody can take for a correction, whoever sent it; or nothing."""
    if not message.by.strip():
        return f"by={message.by!r} names nobody: say who corrects it"
    if not message.answer.strip():
        return "the corrected answer is empty: say what the run should have answered"
    if len(message.answer) > LONGEST:
        return f"the corrected answer has {len(message.answer):,} characters, and {LONGEST:,} are the most: shorten it"
    return ""


def _written(answer: object, output: Output[object] | None) -> str:
    if output is None:
        raise AgentFault(f"answer={answer!r}: this agent answers with text, so give a str")
    try:
        dump = getattr(answer, "model_dump_json", None)
        return str(dump()) if callable(dump) else msgspec.json.encode(answer).decode()
    except (TypeError, ValueError) as error:
        raise AgentFault(f"answer={answer!r} cannot be written as JSON ({error}): give a {output.name}") from None
