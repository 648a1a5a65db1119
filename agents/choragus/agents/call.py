"""Where the calls of a run stand: the state of its tool gateway. Data only."""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.mailbox.codec import stored

from .errand import ToolReturned

SETTLED = ("happened", "not", "give_up")
"""What a person may say of a call of unknown outcome."""


class Stage(Enum):
    """Where a call stands."""

    JUDGED = "judged"
    """The guardrail has been asked."""
    WAITING = "waiting"
    """A person decides, or there is no room in the budget yet."""
    QUEUED = "queued"
    """It may run, when the run is not paused and not too many others do."""
    RUNNING = "running"
    BACKOFF = "backoff"
    """It failed, and runs again in a moment."""
    RETURNED = "returned"
    """It has run; the guardrail judges what it gave back."""
    UNKNOWN = "unknown"
    """It was cut off while it ran."""


class End(Enum):
    """How a call ended."""

    RETURNED = "returned"
    FAILED = "failed"
    DENIED = "denied"
    """It never ran."""
    SETTLED = "settled"
    """A person said that it happened."""
    CANCELLED = "cancelled"
    """The run ended first."""

    @property
    def is_error(self) -> bool:
        """Whether the model is told of an error."""
        return self in (End.FAILED, End.DENIED)


@attrs.define
class Call:
    """One call in the gateway's hands.

    `repeatable` as it was when the call was judged; `since`: it runs; `result`: what it gave back, while it is judged.
    `attempt` counts those that were begun, `turned_away` those that found the line too long; `may_have`: one before may
    have done what it was to do. `role` says which tool beside `tool` runs, as in CallTool, and `why` what the tool
    itself had to say when its fallback runs, or why the outcome is unknown. `undoes` is the call that this one takes
    back. `note` is what the model is told beside the result; `settled`: a person has said what that is.
    """

    id: str
    agent: str
    tool: str
    arguments: dict[str, object]
    repeatable: bool = False
    step: int = 0
    stage: Stage = Stage.JUDGED
    effect: str = ""
    since: float = 0.0
    result: ToolReturned | None = None
    attempt: int = 0
    may_have: bool = False
    turned_away: int = 0
    role: str = ""
    why: str = ""
    undoes: str = ""
    note: str = ""
    settled: bool = False

    @property
    def shown_attempt(self) -> str:
        """Which attempt, also of those of its fallback."""
        return f"{self.role}/{self.attempt}"


@attrs.define
class Unwinding:
    """What is taken back: `done` was, `left` is to be, the next one last; named by their own calls, such as `1.2/undo`.

    `stopped` says why it does not go on by itself.
    """

    by: str
    done: list[str] = attrs.field(factory=list)
    left: list[str] = attrs.field(factory=list)
    stopped: str = ""
    over: bool = False


@stored("choragus.tool_gateway_state")
@attrs.define
class GatewayState:
    """The calls of the run that are not finished, and what counts over all of them.

    `granted` are the tools that the run was narrowed to; None: it was not. `counts` says how often a tool was called
    that may only be called so often, `bad_calls` how many calls were refused for what the model wrote. `undoable` are
    the calls that would take others back, in the order in which these ended; `doubtful` are those of them that may have
    happened when they were given up. `parallel` calls run at a time, 0 for any number.
    """

    calls: dict[str, Call] = attrs.field(factory=dict)
    over: bool = False
    granted: tuple[str, ...] | None = None
    counts: dict[str, int] = attrs.field(factory=dict)
    bad_calls: int = 0
    undoable: list[str] = attrs.field(factory=list)
    unwinding: Unwinding | None = None
    paused: bool = False
    parallel: int = 0
    doubtful: list[str] = attrs.field(factory=list)

    def may_begin(self, call: Call) -> bool:
        """Whether the call may run now, or has to wait: for others, or for the run to go on."""
        running = sum(1 for one in self.calls.values() if one.stage is Stage.RUNNING and one is not call)
        return not self.paused and not 0 < self.parallel <= running

    def call(self, id: str, stage: Stage) -> Call | None:
        """The call of that id, if it stands there."""
        call = self.calls.get(id)
        return call if call is not None and call.stage is stage else None
