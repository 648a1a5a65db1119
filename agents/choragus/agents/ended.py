"""What a run has done, as those see it who say whether it succeeded. Data only."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class MadeCall:
    """One call that the model asked for, as it was run; `result` is cut to 2,000 characters.

    `ran` is False for a call that was refused, denied, or had not ended when the run did.
    """

    tool: str
    arguments: dict[str, object] = attrs.field(factory=dict)
    result: str = ""
    is_error: bool = False
    ran: bool = True


@attrs.frozen(kw_only=True)
class EndedRun:
    """A run at its end: what a predicate, a scorer or a judge looks at.

    `status` is that of the run, `completed` where it has an answer; `answer` is empty otherwise, and `reason` says why
    there is none. `calls` stand in the order in which the model asked for them, `seconds` are from start to end.

    >>> EndedRun(run="5f", agent="clerk", goal="Pay.", calls=(MadeCall(tool="pay"), MadeCall(tool="look"))).tools
    ('pay', 'look')
    """

    run: str
    agent: str
    goal: str
    status: str = "completed"
    answer: str = ""
    reason: str = ""
    calls: tuple[MadeCall, ...] = ()
    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    questions: int = 0
    succeeded: bool | None = None

    @property
    def tools(self) -> tuple[str, ...]:
        """The names of the tools that ran, in the order of their calls."""
        return tuple(call.tool for call in self.calls if call.ran)
