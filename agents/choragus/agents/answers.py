"""What each answer to something that waits for a person will do, in a sentence. Pure, by the standard library alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

CEILING = "ceiling-"
"""How the subject of a question about a ceiling begins."""


class Asked(Protocol):
    """What the sentences are made of: an `Approval`, or what the command line has read of one."""

    @property
    def kind(self) -> str:
        """What is asked."""

    @property
    def call(self) -> str:
        """The subject."""

    @property
    def tool(self) -> str:
        """The tool, if there is one."""

    @property
    def risk(self) -> str:
        """Its risk."""

    @property
    def arguments(self) -> Mapping[str, object]:
        """Its arguments."""

    @property
    def quorum(self) -> int:
        """How many have to approve."""

    @property
    def given(self) -> Sequence[str]:
        """Who has."""

    @property
    def due(self) -> float:
        """By when; 0.0: no end."""

    @property
    def default(self) -> str:
        """What happens then."""


def answers(one: Asked) -> dict[str, str]:
    """Each answer that can be given, and what it will do."""
    told: dict[str, str] = {}
    if one.kind == "question":
        told["answer"] = "the model reads the answer, and goes on"
        told["deny"] = "the model is told that nobody answers, with your reason, and goes on"
    elif one.call.startswith(CEILING):
        then = "the ceiling is raised to this" if one.arguments else "it is tried again"
        left = one.quorum - len(one.given)
        told["approve"] = f"{then}, and the run goes on" if left <= 1 else f"counted; {left} of you have to approve"
        told["deny"] = "the run gets no more: it ends, with what it has achieved, or the model goes on without the call"
    elif one.tool:
        left = one.quorum - len(one.given)
        then = f"{one.tool} runs once with exactly these arguments ({one.risk or 'risk not known'})"
        told["approve"] = then if left <= 1 else f"counted; when {left} of you have approved, {then}"
        told["deny"] = f"{one.tool} does not run; the model reads your reason, and goes on"
    else:
        told["approve"] = "the run goes on with exactly this text"
        told["deny"] = "the text does not pass; the model reads your reason, and goes on"
    if one.due:
        no = "it counts as denied"
        told["nothing"] = {"escalate": "the next approvers are asked", "allow": "it is allowed"}.get(one.default, no)
    return told
