"""What waits for a person, as lines for a terminal: complete, and so that no foreign text can pass for an answer.

Whatever a model or a tool wrote stands behind a margin, escaped, and is never cut.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from .record import AskedRow
from .text import GOES_ON, as_json, block, chunks, duration, moment, money, page, visible

if TYPE_CHECKING:  # it takes a third of a second to import, and what is shown of it is the same
    from choragus.agents.approval import Approval

Asked: TypeAlias = "Approval | AskedRow"

_HEADS = {
    "call": "may it run?",
    "escalation": "may it run? It was escalated",
    "checkpoint": "may it run? It is a checkpoint",
    "question": "the model asks a question",
    "ceiling": "the run is at a ceiling, may it have more?",
}


def request(one: Asked, now: float) -> list[str]:
    """The approval, without the commands that decide it."""
    what = one.tool or one.call
    age = duration(now - one.asked)
    return [
        visible(f"{one.id}  {what}: {_head(one)}. Asked {moment(one.asked)}, {age} ago".replace("?.", "?")),
        visible(f"  call {one.call} of run {one.run}, agent {one.agent}, step {one.step}"),
        *wrapped(f"goal: {one.goal}"),
        *(wrapped(f"because: {one.why}") if one.why else []),
        *wrapped(_figures(one)),
        *_voters(one),
        *_due(one, now),
        *_foreign("the model said beside it", one.said),
        *_foreign("the text", "" if one.kind == "question" else one.text),
        *_foreign("it asks", one.text if one.kind == "question" else ""),
        *_options(one.options),
        *(arguments(one.arguments, one.origins) if one.kind != "question" and (one.tool or one.arguments) else []),
        *(visible(f"  {answer}: {then}") for answer, then in one.answers().items()),
    ]


def arguments(given: Mapping[str, object], origins: Mapping[str, str] | None = None) -> list[str]:
    """Exact arguments, one to a line, as JSON; under each where it comes from, as far as that is known."""
    lines = block([f"{as_json(name)}: {as_json(value)}" for name, value in given.items()] or ["{}"], page())
    told = [wrapped(f"from: {path}: {origin}") for path, origin in (origins or {}).items()]
    return lines + [line for lines_of_one in told for line in lines_of_one]


def wrapped(text: str) -> list[str]:
    """A line that a terminal does not break by itself: what it would put below could pass for a line of ours."""
    first, *more = chunks(visible(text), page() - len(GOES_ON))
    return [f"  {first}", *(f"{GOES_ON}{piece}" for piece in more)]


def _head(one: Asked) -> str:
    return _HEADS.get(one.kind, one.kind) if one.tool else "may the run go on with this text?"


def _figures(one: Asked) -> str:
    figures = [f"risk: {one.risk}"] if one.risk else []
    figures.append(f"spent so far: {money(one.cost_usd)}")
    figures += [f"idempotency key: {one.idempotency_key}"] if one.idempotency_key else []
    return ", ".join(figures)


def _voters(one: Asked) -> list[str]:
    who = ", ".join(one.approvers) or "anybody"
    if one.quorum == 1:
        return wrapped(f"put to: {who}") if one.approvers else []
    given = f"; so far: {', '.join(one.given)}" if one.given else ""
    return wrapped(f"put to: {who}; {one.quorum} have to approve{given}")


def _due(one: Asked, now: float) -> list[str]:
    if not one.due:
        return []
    left = f"in {duration(one.due - now)}" if one.due > now else f"{duration(now - one.due)} ago"
    return [visible(f"  until: {moment(one.due)}, {left}; then {one.answers()['nothing']}")]


def _foreign(label: str, text: str) -> list[str]:
    return [f"  {label}:", *block([text], page())] if text else []


def _options(options: tuple[str, ...]) -> list[str]:
    return ["  its options:", *block(map(as_json, options), page())] if options else []
