"""Redaction as a policy: what an agent is told, reads and says, without secrets and personal data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from attrs import field, frozen

from choragus.agents.errors import AgentFault

from .check import Check, Stage
from .decision import version_of
from .redacted import KINDS, known, redact
from .verdict import Deny, Rewrite, Verdict


def _as_kinds(kinds: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(known(kinds)))


def _as_stages(stages: Iterable[Stage]) -> frozenset[Stage]:
    return frozenset(stages)


@frozen(kw_only=True)
class RedactionPolicy:
    """Rewrites texts; arguments of calls are never rewritten behind the model's back.

    With Stage.CALL among its stages it denies a call that has something to redact in its arguments.

    Args:
        kinds: what to look for, as in `redact`; all of it by default.
        stages: results, replies and answers by default.

    Raises:
        AgentFault: when a kind is unknown, or there is no stage.
    """

    kinds: tuple[str, ...] = field(default=KINDS, converter=_as_kinds)
    stages: frozenset[Stage] = field(default=frozenset({Stage.RESULT, Stage.REPLY, Stage.OUTPUT}), converter=_as_stages)
    name: str = "redaction"
    looks_back: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        if not self.stages or not all(isinstance(one, Stage) for one in self.stages):
            raise AgentFault(f"RedactionPolicy(stages={set(self.stages)!r}): give some of Stage")

    @cached_property
    def version(self) -> str:
        """A hash of the settings."""
        return version_of(self)

    def judge(self, check: Check) -> Verdict | None:
        """Another text when there is something to redact."""
        if check.stage is Stage.CALL:
            found = sorted({kind for text in _texts(check.arguments) for kind in redact(text, self.kinds).kinds})
            return Deny(f"the arguments contain what must not be passed on: {', '.join(found)}") if found else None
        redacted = redact(check.text, self.kinds)
        if not redacted.kinds:
            return None
        return Rewrite(text=redacted.text, reason=f"redacted: {', '.join(redacted.kinds)}")


def _texts(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            # As a pair: a password says nothing by its looks, and all by its name.
            yield from (f"{key}={one}",) if isinstance(one, str) else _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
