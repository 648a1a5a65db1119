"""What a policy is asked about."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import Enum

import msgspec
from attrs import field, frozen


class Stage(Enum):
    """Where in a step a check stands."""

    INPUT = "input"
    REPLY = "reply"
    CALL = "call"
    RESULT = "result"
    OUTPUT = "output"


@frozen(kw_only=True)
class PastCall:
    """A call that was judged earlier in the run; `result` is empty while it has none, `ran` False when refused."""

    call: str
    tool: str
    arguments: str
    result: str = ""
    is_error: bool = False
    ran: bool = True
    at: float = 0.0


@frozen(kw_only=True)
class Past:
    """What the run did before: its latest 200 calls, and how often each policy objected."""

    calls: tuple[PastCall, ...] = ()
    counts: Mapping[str, int] = field(factory=dict)
    objections: Mapping[str, int] = field(factory=dict)

    def count(self, tool: str) -> int:
        """How often the tool was called in this run."""
        return self.counts.get(tool, 0)


@frozen(kw_only=True)
class Check:
    """One thing to be judged."""

    stage: Stage
    run: str = ""
    agent: str = ""
    step: int = 0
    call: str = ""
    tool: str = ""
    risk: str = ""
    arguments: Mapping[str, object] = field(factory=dict)
    text: str = ""
    is_error: bool = False
    past: Past = field(factory=Past)
    now: float = 0.0
    reason: str = ""


def digest(value: object) -> str:
    """A short hash of arguments or a result, the same in every run."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:32]
