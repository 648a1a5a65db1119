"""One trial of one case: what became of its run, and what the scorers say of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import attrs
import msgspec

from choragus.agents.ended import EndedRun
from choragus.agents.figures.formula import Outcome

from .scorer import Score


@attrs.frozen(kw_only=True)
class Trial:
    """A trial that has ended.

    `waited` are the seconds in which its run waited for people, `judging_usd` what judges among the scorers have cost;
    the run's own `cost_usd` is without it. `answer` is cut to 2,000 characters: the run itself has all of it.
    """

    case: str
    repeat: int
    run: str
    status: str
    answer: str = ""
    reason: str = ""
    succeeded: bool | None = None
    tools: tuple[str, ...] = ()
    questions: int = 0
    cost_usd: float = 0.0
    judging_usd: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    steps: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    scores: tuple[Score, ...] = ()

    @property
    def completed(self) -> bool:
        """Whether the run completed, and nothing that its agent declares says that it did not succeed."""
        return self.status == "completed" and self.succeeded is not False

    @property
    def passed(self) -> bool | None:
        """Whether the run completed and every scorer passed it; None: it did not fail, but a scorer has."""
        if not self.completed or any(one.passed is False for one in self.scores):
            return False
        return None if any(one.error for one in self.scores) else True

    @property
    def errors(self) -> tuple[Score, ...]:
        """The scorers that failed."""
        return tuple(one for one in self.scores if one.error)

    @property
    def outcome(self) -> Outcome:
        """What its run counts as in the five figures."""
        return Outcome(
            status=self.status,
            succeeded=self.succeeded,
            questions=self.questions,
            cost_usd=self.cost_usd,
            seconds=self.seconds,
            waited=self.waited,
            steps=self.steps,
            tokens=self.input_tokens + self.output_tokens,
        )

    def as_dict(self) -> dict[str, object]:
        """The trial in plain JSON types."""
        plain: dict[str, object] = msgspec.json.decode(msgspec.json.encode(self))
        return plain


SHOWN = 2_000


def trial_of(case: str, repeat: int, run: EndedRun, scores: Sequence[Score], **more: float) -> Trial:
    """The trial that a run was."""
    return Trial(
        case=case,
        repeat=repeat,
        run=run.run,
        status=run.status,
        answer=run.answer[:SHOWN],
        reason=run.reason[:SHOWN],
        succeeded=run.succeeded,
        tools=run.tools,
        questions=run.questions,
        cost_usd=run.cost_usd,
        seconds=run.seconds,
        steps=run.steps,
        input_tokens=run.input_tokens,
        output_tokens=run.output_tokens,
        scores=tuple(scores),
        **more,
    )


def read_trials(bodies: Iterable[bytes]) -> list[Trial]:
    """The trials in the lines of an evaluation's stream, each once."""
    found: dict[tuple[str, int], Trial] = {}
    for body in bodies:
        one = msgspec.convert(msgspec.json.decode(body), Trial)
        found.setdefault((one.case, one.repeat), one)
    return list(found.values())
