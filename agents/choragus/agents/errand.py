"""What the effects of a run are asked to do outside of its turns, and what they bring back: model and tool calls."""

from __future__ import annotations

import attrs

from choragus.mailbox.codec import stored

from .model import ToolCall, Usage


@stored("choragus.call_model")
@attrs.frozen(kw_only=True)
class CallModel:
    """Complete the conversation up to a position; its text is not repeated here.

    With `final` it is the run's last call, without tools, and the model is told that sentence. `granted` names the
    tools that the model is shown; None: all of the agent's. `model` says which of the agent's models is called: its
    place among `Agent.models`, or among `Agent.last_models` when it is the last. `attempt` counts what was attempted in
    the step, `again` the calls of this model that have failed in it. `version` is how many decisions of the run's
    context count. `plan` names the runtime's own tools for planning that it is shown besides. `answers`: a reply
    without calls is the run's answer.
    """

    run: str
    agent: str
    step: int
    upto: int
    final: str = ""
    granted: tuple[str, ...] | None = None
    model: int = 0
    version: int = 0
    attempt: int = 1
    again: int = 0
    plan: tuple[str, ...] = ()
    answers: bool = True


@stored("choragus.model_replied")
@attrs.frozen(kw_only=True)
class ModelReplied:
    """The model's answer, what it used, and when the call began and ended (seconds since the epoch).

    `model` and `id` are the provider's own names for what answered and for the answer, `kept` is for the conversation.
    `lost` is the most that calls may have cost which were made beside it and given up.
    """

    text: str
    calls: tuple[ToolCall, ...]
    stop: str
    input_tokens: int
    output_tokens: int
    cost_usd: float
    started: float
    ended: float
    model: str = ""
    id: str = ""
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    kept: tuple[dict[str, object], ...] = ()
    lost: tuple[Usage, ...] = ()


@stored("choragus.model_failed")
@attrs.frozen(kw_only=True)
class ModelFailed:
    """The model failed; `retryable` says whether the same request may succeed later.

    `cut_off`: it was given up on, and nobody knows what it has cost. `kind` and `retry_after` are as in ModelError;
    `not_called`: it was not called at all, and may be in so many seconds.
    """

    reason: str
    retryable: bool
    started: float
    ended: float
    cut_off: bool = False
    kind: str = ""
    retry_after: float | None = None
    not_called: bool = False


@stored("choragus.call_tool")
@attrs.frozen(kw_only=True)
class CallTool:
    """Run a tool with arguments that were checked and allowed.

    `role` is empty, or says that it is not the tool itself but its `fallback`, `undo` or `check`, or the `undo` of its
    fallback as `fallback/undo`. `attempt` counts from 1.
    """

    run: str
    agent: str
    call: str
    tool: str
    arguments: dict[str, object]
    role: str = ""
    attempt: int = 1


@stored("choragus.tool_returned")
@attrs.frozen(kw_only=True)
class ToolReturned:
    """A tool's result as JSON, or with `is_error` what went wrong, and when the call began and ended.

    `unknown`: it was cut off in the middle, and nobody knows what it did. `fate` says whether it did what it was to do:
    done, not, maybe; `retryable`, whether it may be tried again at no risk. `is_turned_away`: it has not begun, for too
    many calls wait in line, and is to come again.
    """

    text: str
    is_error: bool
    unknown: bool = False
    fate: str = "done"
    retryable: bool = False
    is_turned_away: bool = False
    started: float
    ended: float
