"""What the command line reads of a file: runs, approvals, calls of unknown outcome. By the standard library alone.

The names are those of `RunSummary`, `Approval` and `Unknown`, and of the JSON that commands print.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeVar

from choragus.agents.answers import answers
from choragus.mailbox.reader import ViewRow

from .glance import Glance

FINAL = frozenset({"completed", "failed", "cancelled", "limit", "denied"})
"""The states of a run that has ended."""

STATES = ("running", "waiting", "paused", "completed", "failed", "cancelled", "limit", "denied")

T = TypeVar("T")


class RunRow(NamedTuple):
    """A run. Times are seconds since the epoch, `ended` 0.0 while it goes on."""

    run: str
    agent: str
    goal: str = ""
    key: str = ""
    tenant: str = ""
    manifest: str = ""
    status: str = ""
    succeeded: bool | None = None
    phase: str = ""
    step: int = 0
    waits: tuple[str, ...] = ()
    outcome: str = ""
    achieved: str = ""
    degraded: bool = False
    paused: str = ""
    parent: str = ""
    sources: tuple[str, ...] = ()
    plan: str = ""
    thread: str = ""
    name: str = ""
    follows: str = ""
    followed_by: str = ""
    carried: int = 0
    questions: int = 0
    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float = 0.0
    judging_usd: float = 0.0
    waited: float = 0.0
    correction: str = ""
    corrected_by: str = ""
    started: float = 0.0
    ended: float = 0.0

    @property
    def is_final(self) -> bool:
        """Whether it has ended."""
        return self.status in FINAL

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


class AskedRow(NamedTuple):
    """Something that waits for a person's decision."""

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
    origins: Mapping[str, str] = {}
    approvers: tuple[str, ...] = ()
    quorum: int = 1
    given: tuple[str, ...] = ()
    due: float = 0.0
    default: str = "deny"
    cost_usd: float = 0.0
    idempotency_key: str = ""
    level: int = 0

    def answers(self) -> dict[str, str]:
        """What each answer will do, in a sentence."""
        return answers(self)


class UnknownRow(NamedTuple):
    """A call whose outcome nobody knows."""

    run: str
    call: str
    tool: str
    arguments: dict[str, object]
    idempotency_key: str
    reason: str
    check: str = ""
    found: str = ""
    attempt: str = ""


def run_of(row: ViewRow) -> RunRow:
    """The run of a row of the kind "run"."""
    return _picked(RunRow, RunRow._fields, row)


def named_run(glance: Glance, id: str) -> RunRow:
    """The run of that id, or of the only one that begins so; raises Refused."""
    return run_of(glance.run(id))


def find_run(glance: Glance, id: str) -> RunRow | None:
    """The run of that very id."""
    row = glance.reader.view("run", id)
    return None if row is None else run_of(row)


def asked_rows(glance: Glance, run: str | None = None) -> list[AskedRow]:
    """What waits for a decision in runs that go on, oldest first."""
    found: list[AskedRow] = []
    runs: dict[str, RunRow | None] = {}
    for row in glance.reader.views("approval", run):
        one = _picked(AskedRow, AskedRow._fields, row)
        if one.run not in runs:
            runs[one.run] = find_run(glance, one.run)
        of = runs[one.run]
        if of is not None and not of.is_final:
            found.append(one._replace(goal=of.goal))
    return found


def unknown_rows(glance: Glance) -> list[UnknownRow]:
    """The calls of unknown outcome, oldest first."""
    return [_picked(UnknownRow, UnknownRow._fields, row) for row in glance.reader.views("attention")]


def _picked(cls: type[T], fields: tuple[str, ...], row: ViewRow) -> T:
    """An instance from those of the values that the class has fields for; JSON has lists where these have tuples."""
    data = row.data
    values = {name: _fixed(data[name]) for name in fields if name in data}
    return cls(**values)


def _fixed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value
