"""What a person decides on: a call with its exact arguments, a text, or a question, bound by a hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol, TypeVar

import attrs
import msgspec

from .answers import answers
from .errors import AgentError
from .message import Decide

T = TypeVar("T")

RENDERING = "1"
"""The version of what is shown of an approval; it stands in the logbook beside each decision."""


LONGEST = 10_000
"""Characters that a reason may have; a name may have 200."""


class Decider(Protocol):
    """Where decisions go."""

    async def decide(self, run: str, decision: Decide) -> None:
        """Have the run's guardrail take the decision; raises DecisionRefused."""


@attrs.frozen(kw_only=True)
class Approval:
    """What waits for a person: a call, a text at a checkpoint, or a question of the model's. Decide by its methods.

    Args:
        kind: "call", "checkpoint" (a text, or a call that is always looked at), "question", "escalation" (a call or
            text that a policy escalated), "ceiling".
        hash: binds a decision to run, tool and arguments, or to the text.
        asked: seconds since the epoch, as is `due`, by when somebody has to decide (0.0: no end).
        default: what happens then.
        why: why a person is asked; `said` is what the model said beside the call: foreign text, as are the arguments.
        origins: where each argument comes from, by its path; empty when that is not known.
        approvers: who may decide; empty: anybody. `given`: who of the `quorum` has approved.
        cost_usd: what the run had spent when it asked.
        level: how often it was escalated.
    """

    id: str
    run: str
    call: str
    tool: str
    arguments: dict[str, object]
    hash: str
    asked: float
    kind: str = "call"
    agent: str = ""
    goal: str = ""
    step: int = 0
    risk: str = ""
    why: str = ""
    said: str = ""
    text: str = ""
    options: tuple[str, ...] = ()
    origins: dict[str, str] = attrs.field(factory=dict)
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    given: tuple[str, ...] = ()
    due: float = 0.0
    default: str = "deny"
    cost_usd: float = 0.0
    idempotency_key: str = ""
    level: int = 0
    desk: object = attrs.field(default=None, eq=False, repr=False)

    async def approve(
        self,
        *,
        by: str,
        arguments: Mapping[str, object] | None = None,
        reason: str = "",
        identity: Mapping[str, str] | None = None,
    ) -> None:
        """Let it happen, with exactly these arguments.

        Args:
            by: who decides.
            arguments: those to be changed, by name; the others stay. They are checked and judged as the model's were.
            reason: stands in the logbook.
            identity: how it was established who decides; {"method": "host"} by default, which is your word for it.

        Raises:
            ValueError: when `by` is empty, or a text too long.
            DecisionRefused: when it waits no longer, or is another by now; when `by` may not decide; when the changed
                arguments do not fit the tool, or a policy denies them. Nothing is decided then.
        """
        await self._decide(True, by, reason, identity, arguments=dict(arguments) if arguments else None)

    async def deny(self, *, by: str, reason: str = "", identity: Mapping[str, str] | None = None) -> None:
        """Refuse it; the model reads the reason and goes on.

        Raises:
            ValueError, DecisionRefused: as `approve`.
        """
        await self._decide(False, by, reason, identity)

    async def answer(self, text: str, *, by: str, identity: Mapping[str, str] | None = None) -> None:
        """Answer a question: with one of its options, or freely when there are none. The model reads the answer.

        Raises:
            ValueError, DecisionRefused: as `approve`; also when the text is none of the options.
        """
        await self._decide(True, by, "", identity, answer=text)

    def answers(self) -> dict[str, str]:
        """What each answer will do, in a sentence."""
        return answers(self)

    def decision(
        self,
        approved: bool,
        *,
        by: str,
        reason: str = "",
        arguments: dict[str, object] | None = None,
        answer: str | None = None,
        identity: Mapping[str, str],
        seen: str,
    ) -> Decide:
        """The message that decides, bound to what is shown here.

        Raises:
            ValueError: when `by` is empty, or a text too long.
        """
        _check_text("by", by, 200)
        _check_text("reason", reason, LONGEST)
        if not by.strip():
            raise ValueError(f"by={by!r} names nobody: say who decides")
        _plain([by, reason, answer, dict(identity)])
        return Decide(
            call=self.call,
            approved=approved,
            by=by.strip(),
            hash=self.hash,
            reason=reason,
            arguments=None if arguments is None else _plain(arguments),
            answer=answer,
            identity=dict(identity),
            seen=f"{seen}-{RENDERING}",
        )

    async def send(self, decision: Decide) -> None:
        """Have a decision taken that `decision` made.

        Raises:
            DecisionRefused: as `approve`.
            AgentError: when the approval was read without a runtime.
        """
        if self.desk is None:
            raise AgentError(
                f"approval {self.id} was read without a runtime: take it from `run.pending()` or `runtime.pending()`"
            )
        desk: Decider = self.desk  # type: ignore[assignment]  # msgspec reads no protocols
        await desk.decide(self.run, decision)

    async def _decide(
        self,
        approved: bool,
        by: str,
        reason: str,
        identity: Mapping[str, str] | None,
        *,
        arguments: dict[str, object] | None = None,
        answer: str | None = None,
    ) -> None:
        decision = self.decision(
            approved,
            by=by,
            reason=reason,
            arguments=arguments,
            answer=answer,
            identity=identity or {"method": "host"},
            seen="python",
        )
        await self.send(decision)


def approval_id(run: str, call: str) -> str:
    """The short name of an approval: 8 hexadecimal digits."""
    return hashlib.sha256(f"{run}/{call}".encode()).hexdigest()[:8]


def arguments_hash(run: str, call: str, tool: str, arguments: dict[str, object]) -> str:
    """SHA-256 over the run, the call, the tool and the arguments, as canonical JSON: what a decision is bound to."""
    return hashlib.sha256(msgspec.json.encode([run, call, tool, arguments], order="sorted")).hexdigest()


def short_hash(value: object) -> str:
    """16 hexadecimal digits that tell values apart; the same in every process."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def as_fields(approval: Approval) -> dict[str, object]:
    """The approval in plain JSON types, with what each answer will do."""
    fields = attrs.asdict(approval, filter=lambda field, _: field.name != "desk")
    return {**fields, "answers": approval.answers()}


def _check_text(name: str, text: object, most: int) -> None:
    if not isinstance(text, str) or len(text) > most:
        raise ValueError(f"{name} must be a text of at most {most} characters: shorten it")


def _plain(given: T) -> T:
    """The value in JSON types, as a model would have given it: a Decimal becomes text, say."""
    try:
        plain: T = msgspec.json.decode(msgspec.json.encode(given))
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"the decision cannot be stored ({error}): use JSON values, and text that is whole") from None
    return plain
