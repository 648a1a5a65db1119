"""What of a run waits for a person, and what was decided. Pure."""

from __future__ import annotations

from enum import Enum

import attrs

from .message import Decide


class Kind(Enum):
    """What is asked of the person."""

    CALL = "call"
    """May this call run?"""
    ESCALATION = "escalation"
    """The same, put to whom the run's questions are escalated."""
    CHECKPOINT = "checkpoint"
    """May the run go on with this text?"""


@attrs.define(kw_only=True)
class Petition:
    """One question to a person. `subject` names it within the run; `asker` is the part that is told the answer.

    `hash` binds the answer to what was shown.
    """

    subject: str
    kind: Kind
    asker: str
    agent: str = ""
    tool: str = ""
    risk: str = ""
    arguments: dict[str, object] = attrs.field(factory=dict)
    text: str = ""
    hash: str = ""
    reason: str = ""
    approvers: tuple[str, ...] = ()
    asked: float = 0.0
    origins: dict[str, str] = attrs.field(factory=dict)


@attrs.define
class Petitions:
    """The questions of one run: those that wait, by their subject, and what was decided on the others."""

    pending: dict[str, Petition] = attrs.field(factory=dict)
    decided: dict[str, Decide] = attrs.field(factory=dict)
    unknown: list[str] = attrs.field(factory=list)

    @property
    def waits(self) -> bool:
        """Whether anything waits for a person, a call of unknown outcome too."""
        return bool(self.pending or self.unknown)

    def is_decided_so(self, message: Decide) -> bool:
        """Whether somebody decided the same before: who reads a run's past meets its questions again."""
        earlier = self.decided.get(message.call)
        return earlier is not None and (earlier.approved, earlier.hash) == (message.approved, message.hash)

    def refusal(self, run: str, message: Decide) -> str:
        """Why the decision cannot be taken, or nothing."""
        asked = self.pending.get(message.call)
        if asked is None:
            return f"call {message.call} of run {run} is not waiting for a decision: see `choragus approvals`"
        if asked.hash != message.hash:
            return f"call {message.call} of run {run} has other arguments than those decided on: look again"
        return ""

    def decide(self, message: Decide) -> Petition:
        """Take the decision, which was not refused; the question that it answers."""
        self.decided[message.call] = message
        return self.pending.pop(message.call)

    def note_unknown(self, call: str, waits: bool) -> None:
        """A call of unknown outcome waits, or no longer does."""
        if waits and call not in self.unknown:
            self.unknown.append(call)
        elif not waits and call in self.unknown:
            self.unknown.remove(call)
