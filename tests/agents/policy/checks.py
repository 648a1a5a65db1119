"""Checks as a guardrail would make them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from choragus.agents.fingerprint import short_hash
from choragus.agents.policy.check import Check, Past, PastCall, Stage
from choragus.agents.policy.norms import Norms
from choragus.agents.spending import Spent


def calling(
    tool: str = "look",
    *,
    past: Past | None = None,
    risk: str = "read",
    now: float = 0.0,
    norms: Norms | None = None,
    step: int = 1,
    spent: Spent | None = None,
    **arguments: object,
) -> Check:
    """A call to be judged."""
    return Check(
        stage=Stage.CALL,
        run="r",
        agent="clerk",
        step=step,
        call="9.1",
        tool=tool,
        risk=risk,
        arguments=arguments,
        past=past or Past(),
        now=now,
        norms=norms,
        spent=spent or Spent(),
    )


def saying(text: str, stage: Stage = Stage.OUTPUT, *, past: Past | None = None) -> Check:
    """A text to be judged."""
    return Check(stage=stage, run="r", agent="clerk", step=1, text=text, past=past or Past())


def did(tool: str, result: str = "same", *, at: float = 0.0, arguments: Mapping[str, object] | None = None) -> PastCall:
    """A call of the past; without a result it never ran."""
    return PastCall(
        call="1.1",
        tool=tool,
        arguments=short_hash(arguments or {}),
        result=short_hash(result) if result else "",
        is_error=not result,
        at=at,
    )


def after(*calls: PastCall, running: Iterable[PastCall] = (), objections: Mapping[str, int] | None = None) -> Past:
    """A past of these calls."""
    return Past(calls, tuple(running), objections or {})
