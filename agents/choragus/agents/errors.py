"""What can go wrong in the agent runtime, as one tree.

    ChoragusError
    └─ AgentError
       ├─ ToolFault (TypeError)      a tool declared wrongly
       ├─ AgentFault (TypeError)     an agent declared wrongly
       ├─ ServerFault (ValueError)   an MCP server declared wrongly, or not there when it is needed for the first time
       ├─ PolicyFault (ValueError)   a policy configured wrongly; says where
       ├─ LimitFault (ValueError)    a limit that is none
       ├─ ModelError                 a model failed; says whether to try again
       │  └─ RealCallForbidden       it would have been a real one, in a test (`reality.py`)
       ├─ BadArguments (ValueError)  a model's arguments do not fit the tool; it is told and can mend them
       ├─ BadResult (TypeError)      a tool gave back what cannot be written as JSON
       ├─ WrongResult (TypeError)    a tool gave back what its return type does not allow
       ├─ ToolError                  raised by tools: why there is no result; says whether to try again
       ├─ SecretFault (LookupError)  a secret that is not there, or not for this tool
       ├─ NotPermitted (PermissionError)  a URL or a path leads where a tool must not go
       ├─ UnknownRun (LookupError)   no run of that id
       ├─ Paused                     a paused runtime starts nothing
       ├─ NotForkable                a run cannot be forked there
       ├─ DecisionRefused            a person's decision that is not taken
       ├─ WrongAnswer (ValueError)   an answer that is not of the type that its agent has now
       ├─ TextRefused                a text that a run does not take
       ├─ UnknownThread (LookupError)  no conversation of that name
       ├─ NotEvaluated               an agent begins nothing before it was evaluated as it is now
       ├─ ConfigFault (ValueError)   a configuration file that is wrong; says where
       ├─ EvaluationFault (ValueError)  an evaluation that cannot begin: its cases, scorers or options
       └─ Outcome                    why a run has no result
          ├─ LimitReached            a limit was used up
          ├─ Denied                  a person or the guardrail said no
          ├─ Cancelled               somebody cancelled it
          ├─ Failed                  it could not go on
          ├─ Held                    this runtime does not go on with it
          └─ Waiting (TimeoutError)  it has none yet

Each error keeps its data as attributes, builds its text from them, and can be pickled.
"""

from __future__ import annotations

from choragus.mailbox.errors import ChoragusError


class AgentError(ChoragusError):
    """Base of every error of the agent runtime."""


class ToolFault(AgentError, TypeError):
    """Raised when a function cannot be a tool as it is declared; nothing has run."""


class AgentFault(AgentError, TypeError):
    """Raised when an agent is put together wrongly; nothing has run."""


class ServerFault(AgentError, ValueError):
    """Raised when an MCP server is declared wrongly, or when nobody knows its tools yet and it cannot be reached."""


class _Misplaced(AgentError, ValueError):
    """What a file has wrong, and where."""

    def __init__(self, place: str, detail: str) -> None:
        super().__init__(place, detail)
        self.place = place
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}"


class PolicyFault(_Misplaced):
    """Raised when a configuration of policies is wrong; none of it is in force.

    Args:
        place: the file, the line of the rule, and the path in it.
        detail: what is wrong, and what to write instead.
    """


class LimitFault(AgentError, ValueError):
    """Raised when a limit is negative, no finite number, or of a wrong type."""


class ModelError(AgentError):
    """Raised when a model fails.

    Args:
        reason: what happened and what to do.
        retryable: whether the same request may succeed later. False by default.
        kind: what went wrong, in one word: "rate_limit", "overloaded", "timeout", "connection", "server",
            "incomplete" (the reply ended before its end), "malformed" (it cannot be read), "request" (the provider
            refuses it as it is), "authentication", "context_length"; empty when it is none of these.
        retry_after: the seconds that the provider asks to wait before the next try; None when it says nothing.
    """

    def __init__(self, reason: str, retryable: bool = False, kind: str = "", retry_after: float | None = None) -> None:
        super().__init__(reason, retryable, kind, retry_after)
        self.reason = reason
        self.retryable = retryable
        self.kind = kind
        self.retry_after = retry_after

    def __str__(self) -> str:
        return self.reason


class BadArguments(AgentError, ValueError):
    """Raised when a call's arguments do not fit its tool.

    Args:
        tool: the tool's name.
        detail: what is wrong, with the path in the arguments, as in "Expected `int`, got `str` - at `$.days`".
        parameters: the names that the tool takes.
    """

    def __init__(self, tool: str, detail: str, parameters: tuple[str, ...]) -> None:
        super().__init__(tool, detail, parameters)
        self.tool = tool
        self.detail = detail
        self.parameters = parameters

    def __str__(self) -> str:
        takes = ", ".join(self.parameters) or "no arguments"
        return (
            f"bad arguments for tool {self.tool!r}: {self.detail}; it takes {takes}: call it again as its schema says"
        )


class BadResult(AgentError, TypeError):
    """Raised when a tool's result cannot be written as JSON.

    Args:
        tool: the tool's name.
        kind: the type of the result.
        detail: what could not be written.
    """

    def __init__(self, tool: str, kind: str, detail: str) -> None:
        super().__init__(tool, kind, detail)
        self.tool = tool
        self.kind = kind
        self.detail = detail

    def __str__(self) -> str:
        return (
            f"tool {self.tool!r} gave back a {self.kind} that cannot be written as JSON ({self.detail}): "
            "return text, numbers, lists, dictionaries, dates, enums, or attrs classes and dataclasses of these"
        )


class WrongResult(AgentError, TypeError):
    """Raised when a tool's result does not fit its return type; the tool has run.

    Args:
        tool: the tool's name.
        detail: what does not fit, with the path in the result, as in "Expected `str`, got `int` - at `$.id`".
    """

    def __init__(self, tool: str, detail: str) -> None:
        super().__init__(tool, detail)
        self.tool = tool
        self.detail = detail

    def __str__(self) -> str:
        return f"the result of tool {self.tool!r} does not fit its return type: {self.detail}"


class ToolError(AgentError):
    """To be raised by a tool that knows why there is no result; the model reads the reason as it stands.

    Args:
        reason: what happened and what to do instead.
        retryable: whether nothing has been done and the same call may succeed later. False by default; True lets the
            tool's `retries` run it again, whatever its risk.
    """

    def __init__(self, reason: str, retryable: bool = False) -> None:
        super().__init__(reason, retryable)
        self.reason = reason
        self.retryable = retryable

    def __str__(self) -> str:
        return self.reason


class SecretFault(AgentError, LookupError):
    """Raised when a secret is asked for that is not there, or that the tool has not declared.

    Args:
        name: the secret's name.
        reason: why it cannot be had, and the remedy.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"no secret {self.name!r}: {self.reason}"


class NotPermitted(AgentError, PermissionError):
    """Raised when a URL or a path leads where a tool must not go; nothing was opened.

    Args:
        target: the URL or path as it was given.
        reason: why it is refused.
    """

    def __init__(self, target: str, reason: str) -> None:
        super().__init__(target, reason)
        self.target = target
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.target!r} is not permitted: {self.reason}"


class UnknownRun(AgentError, LookupError):
    """Raised when no run has that id.

    Args:
        run: the id that was asked for.
        place: the file that was searched, or "memory".
    """

    def __init__(self, run: str, place: str) -> None:
        super().__init__(run, place)
        self.run = run
        self.place = place

    def __str__(self) -> str:
        return f"no run {self.run!r} in {self.place}: list the runs with `choragus runs FILE` or Runtime.runs()"


class NotForkable(AgentError):
    """Raised when a run cannot be forked, or not at that position, or not under that key; nothing has begun.

    Args:
        run: the run to be forked.
        reason: why not, and where it can be.
    """

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(run, reason)
        self.run = run
        self.reason = reason

    def __str__(self) -> str:
        return f"run {self.run!r} cannot be forked: {self.reason}"


class DecisionRefused(AgentError):
    """Raised when a person's decision is not taken; nothing is decided, and the refusal stands in the logbook.

    Args:
        approval: the id of what was to be decided.
        reason: why not, and what to do.
    """

    def __init__(self, approval: str, reason: str) -> None:
        super().__init__(approval, reason)
        self.approval = approval
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class WrongAnswer(AgentError, ValueError):
    """Raised when the answer of a completed run is not of the type that its agent has now.

    Args:
        run: the run's id.
        type: the name of that type.
        fault: what does not fit, with its path.
    """

    def __init__(self, run: str, type: str, fault: str) -> None:
        super().__init__(run, type, fault)
        self.run = run
        self.type = type
        self.fault = fault

    def __str__(self) -> str:
        return (
            f"run {self.run!r} has completed, and its answer is no {self.type}: {self.fault}: its agent has another "
            "output= now; the answer as it was written is (await run.status()).outcome"
        )


class TextRefused(AgentError):
    """Raised when a run does not take a text that is sent to it: a policy refuses it, say. The run is as it was.

    Args:
        run: the run's id.
        reason: why not, and what to do.
    """

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(run, reason)
        self.run = run
        self.reason = reason

    def __str__(self) -> str:
        return f"run {self.run!r} does not take the text: {self.reason}"


class UnknownThread(AgentError, LookupError):
    """Raised when there is no conversation of that name, or several agents have one.

    Args:
        name: the name that was asked for.
        reason: what there is, and what to do.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name = name
        self.reason = reason

    def __str__(self) -> str:
        return f"no thread {self.name!r}: {self.reason}"


class ConfigFault(_Misplaced):
    """Raised when a configuration file is wrong, or contradicts what the code says; none of it is in force.

    Args:
        place: the file, the line of the table, and the path in it.
        detail: what is wrong, and what to write instead.
    """


class NotEvaluated(AgentError):
    """Raised when a run was to begin on an agent that was not evaluated as it is now, or has failed; nothing began.

    Args:
        agent: the agent's name.
        identity: the hash of what it is now.
        failed: whether it was evaluated, and has not passed.
        place: the file in which its evaluations were looked for; empty for that of the runs.
    """

    def __init__(self, agent: str, identity: str, failed: bool = False, place: str = "") -> None:
        super().__init__(agent, identity, failed, place)
        self.agent = agent
        self.identity = identity
        self.failed = failed
        self.place = place

    @property
    def command(self) -> str:
        """What to run."""
        return f"choragus eval FILE --app module:runtime --agent {self.agent} --cases CASES"

    def __str__(self) -> str:
        what = "has failed its latest evaluation" if self.failed else "has no stored evaluation"
        where = f" in {self.place}" if self.place else ""
        return (
            f"agent {self.agent!r} as it is now (identity {self.identity[:12]}) {what}{where}: run `{self.command}`, "
            "or open the runtime with require_evaluated='warn'"
        )


class Outcome(AgentError):
    """Base of the reasons why a run has no result.

    Args:
        run: the run's id.
        reason: a sentence that names the value, the limit where there is one, and the remedy.
    """

    _verb = "has no result"

    def __init__(self, run: str, reason: str) -> None:
        super().__init__(run, reason)
        self.run = run
        self.reason = reason

    def __str__(self) -> str:
        return f"run {self.run!r} {self._verb}: {self.reason}"


class LimitReached(Outcome):
    """Raised when a run ended because a limit left no room for its next step, or a sub-run could not begin.

    Args:
        run: the run's id.
        reason: a sentence that names the value, the limit, and the remedy.
        achieved: the latest that the model said before the run ended, or empty.
    """

    _verb = "reached a limit"

    def __init__(self, run: str, reason: str, achieved: str = "") -> None:
        super().__init__(run, reason)
        self.args = (run, reason, achieved)
        self.achieved = achieved


class Denied(Outcome):
    """Raised when a run ended because a person or the guardrail denied what it needed."""

    _verb = "was denied"


class Cancelled(Outcome):
    """Raised when a run ended because somebody cancelled it."""

    _verb = "was cancelled"


class Failed(Outcome):
    """Raised when a run ended because it could not go on."""

    _verb = "failed"


class Paused(AgentError):
    """Raised when a runtime that is paused is to start a run."""


class Held(Outcome):
    """Raised when this runtime does not go on with an unfinished run: its agent is missing or has changed."""

    _verb = "is held"


class Waiting(Outcome, TimeoutError):
    """Raised when a run has no result within the timeout; the run itself goes on."""

    _verb = "is still waiting"


class EvaluationFault(AgentError, ValueError):
    """Raised when an evaluation cannot begin: a case, a scorer, a baseline or an option is not what it may be."""
