"""Looking at a file from outside: runs, what waits for a person, and the timeline of a run. Reads only."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TypeVar

import attrs
import msgspec

from choragus.mailbox.store import Store
from choragus.mailbox.turn import LogEntry, View

from .approval import Approval
from .errors import UnknownRun
from .state import Status
from .stream import run_stream

PAGE = 500

ASKING = ("approval.requested", "approval.escalated", "approval.counted")
"""Kinds of lines that show an approval: as it was asked for, put to others, and with one more voice or edit."""

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class RunSummary:
    """A run as lists show it. Times are seconds since the epoch, `ended` 0.0 while it goes on.

    `achieved` is the latest that a run said that a limit ended, `degraded` tells of a last answer at a limit, `paused`
    of who holds it and why, `parent` of the run that it is a sub-run of. `sources` are those of its answer, when a
    policy follows information: an `untrusted` one may have steered it. `questions` is how often it had to wait for a
    person. Of the input `cached_tokens` came from a provider's cache, and `reasoning_tokens` of the output are no text.
    `plan` says where it stands in its plan, such as `step 12 of 500: Pay the bill.`

    `thread` is the id of the conversation that the run is part of, `name` what that goes by; both are empty for a run
    that nothing was sent to after its end. It `follows` a run, from which it has the first `carried` lines of its own
    conversation, and is `followed_by` one.

    `succeeded` is what its agent's declaration of success says of it: None where nothing is declared, or nobody could
    tell. Of its cost `judging_usd` are those of a judge.

    `tenant` is for whom it runs, `waited` for how many seconds it waited for people or was paused, as far as that is
    over. `correction` is what a person said that it should have answered, `corrected_by` who.
    """

    run: str
    agent: str
    goal: str
    key: str
    manifest: str
    status: Status
    phase: str
    step: int
    waits: tuple[str, ...]
    outcome: str
    steps: int
    input_tokens: int
    output_tokens: int
    cost_usd: float
    started: float
    ended: float
    achieved: str = ""
    degraded: bool = False
    paused: str = ""
    parent: str = ""
    sources: tuple[str, ...] = ()
    questions: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    plan: str = ""
    thread: str = ""
    name: str = ""
    follows: str = ""
    followed_by: str = ""
    carried: int = 0
    succeeded: bool | None = None
    judging_usd: float = 0.0
    tenant: str = ""
    waited: float = 0.0
    correction: str = ""
    corrected_by: str = ""

    @property
    def tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@attrs.frozen(kw_only=True)
class Unknown:
    """A call whose outcome nobody knows, or one that was to take another back and did not; a person settles it.

    `check` says how to find out, as the tool declares it; `found` is what its own look has given, as JSON. `attempt` is
    the attempt that nobody knows about: another one is another question.
    """

    run: str
    call: str
    tool: str
    arguments: dict[str, object]
    idempotency_key: str
    reason: str
    check: str = ""
    found: str = ""
    attempt: str = ""


@attrs.frozen(kw_only=True)
class RunEvent:
    """One line of a run's logbook; `position` counts from 1 and is where to go on reading.

    So is `cursor`, also for who reads what models are saying: `run.events(cursor, chunks=True)`.
    """

    position: int
    kind: str
    at: float
    data: dict[str, object]
    cursor: str = attrs.field(repr=False, eq=False)

    @cursor.default
    def _at(self) -> str:
        return str(self.position)


@attrs.frozen(kw_only=True)
class ApprovalRequested(RunEvent):
    """Something waits, or waited, for a person: `await event.approval.approve(by=...)`, `deny(...)` or `answer(...)`.

    It comes again when the approval is escalated, and when one of several has approved, perhaps with other arguments.

    Who reads a run from its beginning meets the requests that were decided long ago too; `run.pending()` has those that
    still wait, and deciding the same again changes nothing.
    """

    approval: Approval


@attrs.frozen(kw_only=True)
class OutcomeUnknown(RunEvent):
    """A call was interrupted and cannot be repeated: find out what became of it, and say so with `run.settle(...)`."""

    unknown: Unknown


async def runs(store: Store) -> list[RunSummary]:
    """Every run, in the order of their starts."""
    return [_summary(view) for view in await store.views("run")]


async def find_summary(store: Store, run: str) -> RunSummary | None:
    """The run of that very id, if it is there."""
    view = await store.view("run", run)
    return None if view is None else _summary(view)


async def find_run(store: Store, run: str, place: str) -> RunSummary:
    """The run of that id, or of the only id that begins so.

    Raises:
        UnknownRun: when there is none, or more than one.
    """
    view = await store.view("run", run)
    if view is not None:
        return _summary(view)
    found = [one for one in await runs(store) if run and one.run.startswith(run)]
    if len(found) != 1:
        raise UnknownRun(run, place)
    return found[0]


async def approvals(store: Store, run: str | None = None, desk: object = None) -> list[Approval]:
    """What waits for a person's decision, oldest first; with a desk, decisions go there."""
    found = [msgspec.convert(_body(view), Approval) for view in await store.views("approval", run)]
    goals = {one: await _goal(store, one) for one in {each.run for each in found}}
    return [attrs.evolve(one, goal=goals[one.run], desk=desk) for one in found]


async def unknowns(store: Store, run: str | None = None) -> list[Unknown]:
    """The calls of unknown outcome, oldest first."""
    return [msgspec.convert(_body(view), Unknown) for view in await store.views("attention", run)]


async def timeline(store: Store, run: str, after: int = 0, desk: object = None) -> AsyncIterator[RunEvent]:
    """What the run's logbook holds behind a position; with a desk, decisions on its approvals go there."""
    while page := await store.read(run_stream(run), after, PAGE):
        for entry in page:
            one = event(run, entry)
            if isinstance(one, ApprovalRequested):
                shown = attrs.evolve(one.approval, goal=await _goal(store, run), desk=desk)
                one = attrs.evolve(one, approval=shown)
            yield one
        if len(page) < PAGE:
            return
        after = page[-1].position


def event(run: str, entry: LogEntry) -> RunEvent:
    """A logbook entry as an event."""
    data: dict[str, object] = msgspec.json.decode(entry.body)
    common = {"position": entry.position, "kind": entry.kind, "at": entry.at, "data": data}
    if entry.kind == "call.unknown":
        told = {"idempotency_key": f"{run}/{data['call']}", **data, "run": run}  # the key of older files
        return OutcomeUnknown(**common, unknown=_picked(Unknown, told))  # type: ignore[arg-type]  # the four fields above
    if entry.kind not in ASKING:
        return RunEvent(**common)  # type: ignore[arg-type]  # the four fields above
    told = {**data, "id": data["approval"], "run": run, "asked": entry.at}
    return ApprovalRequested(**common, approval=_picked(Approval, told))  # type: ignore[arg-type]  # the four fields above


async def _goal(store: Store, run: str) -> str:
    view = await store.view("run", run)
    return "" if view is None else str(_body(view)["goal"])


def _picked(cls: type[T], told: Mapping[str, object]) -> T:
    """An instance from those of the values that the class has fields for."""
    wanted = {field.name for field in attrs.fields(cls)}  # type: ignore[arg-type]  # an attrs class
    return msgspec.convert({name: value for name, value in told.items() if name in wanted}, cls)


def _summary(view: View) -> RunSummary:
    return msgspec.convert(_body(view), RunSummary)


def _body(view: View) -> dict[str, object]:
    body: dict[str, object] = msgspec.json.decode(view.body or b"{}")
    return body


def unfinished(summaries: Iterable[RunSummary]) -> list[RunSummary]:
    """Those that have not ended."""
    return [summary for summary in summaries if not summary.status.is_final]
