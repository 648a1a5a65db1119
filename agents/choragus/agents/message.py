"""The typed messages in which the five actors of a run talk. Role actors import these, never one another."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .context.decision import Note
from .flow.label import OWN
from .limits import Limits
from .model import ChatMessage, Image, ToolCall
from .plan.step import Plan
from .speech import Place
from .spending import NOTHING, Spent

ORCHESTRATOR = "choragus.orchestrator"
MEMORY = "choragus.memory"
GUARDRAIL = "choragus.guardrail"
TOOL_GATEWAY = "choragus.tool_gateway"


RESULT = "result-"
"""Before a call's id: the name of its result, where that is what is asked about."""


# To the orchestrator (CallWaits to the guardrail too).


@stored("choragus.start_run")
@attrs.frozen(kw_only=True)
class StartRun(Request[bool]):
    """Begin the run; False when it had begun before, and then nothing happens.

    `manifest` is the hash of the agent as whoever starts the run has it: a start that survives a crash is held with it.
    `parent` is the run that this is a sub-run of, `room` how many may stand below one another under it as far as that
    one says, `ledgers` are the names of those that it draws on. `tools` are the names of those of the agent's tools
    that the run may use; None: all. `plan` is the one that it follows, if given. `images` stand beside the goal,
    `place` says of which thread the run is part, and `trace` of which trace of the host. `tenant` is for whom it runs.
    """

    agent: str
    goal: str
    key: str
    manifest: str
    parent: str = ""
    room: int | None = None
    ledgers: tuple[str, ...] = ()
    tools: tuple[str, ...] | None = None
    plan: Plan | None = None
    images: tuple[Image, ...] = ()
    place: Place | None = None
    tenant: str = ""
    trace: str = ""


@stored("choragus.fork_run")
@attrs.frozen(kw_only=True)
class ForkRun(Request[str]):
    """Begin the run as a fork of `run`, from what that was at position `at` of its logbook.

    The reply is why not, or empty; a run that had begun as this very fork stays as it is. `manifest` is the hash of the
    agent to go on with, as in StartRun. Without `limits` they are the agent's.
    """

    run: str
    at: int
    agent: str
    key: str
    manifest: str
    by: str
    limits: Limits | None = None


@stored("choragus.perceived")
@attrs.frozen
class Perceived:
    """The working context of a step stands: the conversation up to and including position `upto`.

    `version` is how many decisions were made about what is shown of it, `spent` what making them has cost. `excess`:
    it does not stand, for it does not fit into its budget, and why.
    """

    step: int
    upto: int
    version: int = 0
    spent: Spent = NOTHING
    excess: str = ""


@stored("choragus.call_finished")
@attrs.frozen(kw_only=True)
class CallFinished:
    """A tool call has its result, or the reason why there is none, as the model will read it.

    `whose` word that is: the tool's "own"; the "runtime"'s, for the call never ran; "mixed", with what the tool said
    before another stood in for it.
    """

    call: str
    text: str
    is_error: bool = False
    whose: str = OWN


@stored("choragus.call_waits")
@attrs.frozen(kw_only=True)
class CallWaits:
    """A tool call waits for a person (`reason` says for what), or, with an empty reason, no longer does."""

    call: str
    reason: str = ""


@stored("choragus.give_up_run")
@attrs.frozen(kw_only=True)
class GiveUpRun:
    """End the run as failed; `part` is the path of whoever asks for it."""

    part: str
    reason: str


@stored("choragus.cancel_run")
@attrs.frozen(kw_only=True)
class CancelRun(Request[bool]):
    """End the run as cancelled; False when it had ended before."""

    by: str
    reason: str = ""


@stored("choragus.wall_reached")
@attrs.frozen
class WallReached:
    """The run's wall time is used up."""


@stored("choragus.retry_model")
@attrs.frozen
class RetryModel:
    """Call the model of this step again."""

    step: int
    upto: int


# To the memory.


@attrs.frozen(kw_only=True)
class Scope:
    """For whom a context is assembled: the agent, the tools that its run is narrowed to, and what counts as its goal.

    `bound`: a model call whose cost nobody can tell is not made. `heard` is how many input tokens the latest model call
    had, as its provider says. `plan` and `answers` are as in CallModel. `in_hand` is the line that tells of
    the step in hand of its plan, 0 without one.
    """

    agent: str
    granted: tuple[str, ...] | None
    goal: str
    bound: bool
    heard: int = 0
    plan: tuple[str, ...] = ()
    answers: bool = True
    in_hand: int = 0


@stored("choragus.perceive")
@attrs.frozen
class Perceive:
    """Append to the conversation, then assemble the context of a step; step 0 only appends.

    Without a `scope` the context is the whole conversation. `decisions` are those about it that a fork takes over.
    """

    step: int
    additions: tuple[ChatMessage, ...]
    scope: Scope | None = None
    decisions: tuple[Note, ...] = ()


@stored("choragus.take_over")
@attrs.frozen
class TakeOver(Request[bool]):
    """Append what a fork takes over, and the decisions about what is shown of it; the reply is when it stands."""

    additions: tuple[ChatMessage, ...]
    decisions: tuple[Note, ...] = ()


# To the guardrail.


@stored("choragus.set_limits")
@attrs.frozen(kw_only=True)
class SetLimits:
    """The run's ceilings, when its clock began, and which accounts its spending counts in besides its own.

    `parent` is the run that it is a sub-run of, or empty; `ledgers` are names. `agent` says who is asked at a ceiling.
    """

    limits: Limits
    started: float
    agent: str = ""
    parent: str = ""
    ledgers: tuple[str, ...] = ()


@stored("choragus.verdict")
@attrs.frozen(kw_only=True)
class Verdict:
    """What the guardrail says: allowed, denied with the reason, or `wait`, and then a Decided follows.

    `ends`: the run ends with this. With `arguments` or `text` that passes instead of what was asked about. `limit`
    names the ceiling that left no room. `sources` are those of an answer, when a policy follows information.
    """

    allowed: bool
    reason: str = ""
    wait: bool = False
    ends: bool = False
    arguments: dict[str, object] | None = None
    text: str | None = None
    limit: str = ""
    sources: tuple[str, ...] = ()


@stored("choragus.reserve")
@attrs.frozen(kw_only=True)
class Reserve(Request[Verdict]):
    """May this much be spent? If so it is set aside under `token` until a Spend of the same token.

    Where there may be room later, `asker` (an address) is told with Drawn, and the reply is to `wait`. `keep` must be
    left besides; `final` is a run's last call, which time does not bind.
    """

    token: str
    most: Spent
    asker: str = ""
    keep: Spent = NOTHING
    final: bool = False


@stored("choragus.spend")
@attrs.frozen(kw_only=True)
class Spend:
    """What was reserved under `token` has cost this much; nothing gives the reservation back.

    `presumed`: the call was cut off, and counts as the most that it may have cost.
    """

    token: str
    spent: Spent
    presumed: bool = False


@stored("choragus.judge_call")
@attrs.frozen(kw_only=True)
class JudgeCall(Request[Verdict]):
    """May this call run? Its arguments fit the tool's schema; `reason` is what the model said beside the call.

    `upto` is how much of the conversation the model had seen, `plan` how many entries the run's plan had then.
    """

    call: str
    tool: str
    risk: str
    arguments: dict[str, object]
    agent: str = ""
    step: int = 0
    reason: str = ""
    cost_usd: float = 0.0
    upto: int = 0
    plan: int = 0


@stored("choragus.judge_text")
@attrs.frozen(kw_only=True)
class JudgeText(Request[Verdict]):
    """May this text pass at the stage? `subject` names it within the run; `asker` is told of a person's decision."""

    stage: str
    subject: str
    asker: str
    agent: str
    step: int
    text: str
    call: str = ""
    tool: str = ""
    is_error: bool = False
    upto: int = 0


@stored("choragus.call_settled")
@attrs.frozen(kw_only=True)
class CallSettled:
    """A call has ended; short hashes of its arguments and of its result, which is empty when it never ran."""

    call: str
    agent: str
    tool: str
    arguments: str
    result: str
    is_error: bool


@stored("choragus.decide")
@attrs.frozen(kw_only=True)
class Decide(Request[str]):
    """A person's decision about a call; `hash` is that of the arguments they saw. The reply is why not, or empty.

    `arguments` are those that the person changed, by name; `answer` is that to a question. `identity` says how it was
    established who `by` is, `seen` in which form and version they were shown what they decided on.
    """

    call: str
    approved: bool
    by: str
    hash: str
    reason: str = ""
    arguments: dict[str, object] | None = None
    answer: str | None = None
    identity: dict[str, str] = attrs.field(factory=dict)
    seen: str = ""


@stored("choragus.petition_due")
@attrs.frozen
class PetitionDue:
    """Nobody has decided about the call in time, at that place of the chain of approvers."""

    call: str
    level: int


@stored("choragus.run_ended")
@attrs.frozen
class RunEnded:
    """The run of that agent is over, and has completed or not: drop what waits."""

    agent: str = ""
    completed: bool = False


# To the tool gateway.


@stored("choragus.run_call")
@attrs.frozen(kw_only=True)
class RunCall:
    """Carry out one call of the model; `call` is the runtime's own id for it, unique within the run.

    `reason` is what the model said beside its calls, `upto` how much of the conversation it had seen; `parallel` how
    many calls of the run may be under way at a time, 0 for any number. `granted` names the tools of which this step may
    use one, beside what the agent and the run may; None: all of them. `plan` is as in JudgeCall.
    """

    call: str
    agent: str
    asked: ToolCall
    step: int = 0
    reason: str = ""
    parallel: int = 0
    granted: tuple[str, ...] | None = None
    upto: int = 0
    plan: int = 0


@stored("choragus.grant_tools")
@attrs.frozen
class GrantTools:
    """The run may use these tools of its agent, and of those that it was granted before."""

    tools: tuple[str, ...]


@stored("choragus.retry_call")
@attrs.frozen
class RetryCall:
    """Run a call again that has failed."""

    call: str


@stored("choragus.unwind_run")
@attrs.frozen(kw_only=True)
class UnwindRun(Request[str]):
    """Take back what the calls of an ended run have done, the last first. The reply is why not, or empty."""

    by: str


@stored("choragus.decided")
@attrs.frozen(kw_only=True)
class Decided:
    """The decision that a `wait` verdict announced.

    The call runs with `arguments` if `changed_by` changed them; `answer` is that to a question.
    """

    call: str
    approved: bool
    by: str
    reason: str = ""
    arguments: dict[str, object] | None = None
    changed_by: str = ""
    answer: str | None = None


@stored("choragus.settle_call")
@attrs.frozen(kw_only=True)
class SettleCall(Request[str]):
    """A person says what became of a call of unknown outcome. The reply is why not, or empty.

    `outcome` is `happened` (with its `result`, as JSON or text), `not` (run it again) or `give_up` (end the run).
    `attempt` is the one that they looked into; empty: whichever it is.
    """

    call: str
    outcome: str
    by: str
    result: str = ""
    attempt: str = ""


@stored("choragus.undo_next")
@attrs.frozen
class UndoNext:
    """Take back the next call."""
