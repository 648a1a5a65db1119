"""A model as scorer: each of its words is a run too, so it is paid from the same ledger, limited, and made once."""

from __future__ import annotations

import hashlib

import attrs
import msgspec

from choragus.agents.agent import Agent
from choragus.agents.ended import EndedRun
from choragus.agents.judge import Judge, Judgement, material
from choragus.agents.limits import Limits

from .case import Case
from .scorer import Score

REPAIRS = 2
"""How often an answer that is no verdict is sent back."""


@attrs.frozen
class Judged:
    """A scorer that asks a judge; a `Judge` among the scorers stands for one that is told what was expected."""

    judge: Judge
    expected: bool = True

    @property
    def name(self) -> str:
        """The judge's name."""
        return self.judge.name

    def identity(self) -> dict[str, object]:
        """That of the judge."""
        return {"scorer": "Judge", "name": self.name, "expected": self.expected, **self.judge.identity()}

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """Not by itself: the evaluation starts a run for it."""
        raise TypeError(f"judge {self.name!r} is asked by evaluate(), which has a runtime to ask in")

    def goal(self, case: Case, run: EndedRun) -> str:
        """What the judge is shown: the run, and what was expected."""
        wanted: object = list(case.targets) or case.expected_output
        return material(run, {"expected": wanted} if self.expected and wanted is not None else {})

    def said(self, judgement: Judgement) -> Score:
        """The verdict as a score."""
        return Score(name=self.name, passed=judgement.passed, value=judgement.score, reason=judgement.reason[:2000])


def judge_agent(judge: Judge) -> Agent[Judgement]:
    """The agent that a judge is while it scores: it has no tools, and its answers are verdicts.

    A runtime that is open already needs it among its agents: `Runtime(agents=[agent, judge_agent(judge)])`. One that
    `evaluate` opens gets it by itself.
    """
    known_by = {**judge.identity(), "by": ""}
    digest = hashlib.sha256(msgspec.json.encode(known_by, order="sorted")).hexdigest()[:12]
    return Agent(
        f"judge-{digest}",
        model=judge.model,
        prompt=judge.instructions,
        output=Judgement,
        repairs=REPAIRS,
        limits=Limits(steps=REPAIRS + 2, tool_calls=0),
    )
