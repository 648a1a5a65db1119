"""What an agent is tried with: cases, and a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs
import msgspec

from choragus.agents.errors import EvaluationFault
from choragus.agents.speaking import LARGEST_TEXT

if TYPE_CHECKING:
    from .scorer import Scorer

LONGEST_NAME = 200
"""Characters of a case's name."""


@attrs.frozen(kw_only=True)
class Case:
    """One thing to try an agent with.

    >>> Case(name="two", inputs={"a": 1}).goal
    '{"a":1}'

    Args:
        name: what it goes by; no other case of the set has it.
        inputs: the goal of its runs: a text, or any JSON, which the agent is given as a text.
        expected_output: the right answer, where there is one: a text, or JSON for an agent whose answers are typed.
        targets: several right answers, of which any will do.
        metadata: what else is known, for scorers.
        labels: what groups it belongs to.
        trajectory: the tools that are to be called, in order.
        source: where it comes from, as `choragus export` writes it: file, run, manifest, at.
        scorers: those of this case alone, beside those of the evaluation.

    Raises:
        EvaluationFault: when it has no name or no inputs, or cannot be written as JSON.
    """

    name: str
    inputs: object
    expected_output: object = None
    targets: tuple[str, ...] = ()
    metadata: Mapping[str, object] = attrs.field(factory=dict)
    labels: tuple[str, ...] = ()
    trajectory: tuple[str, ...] | None = None
    source: Mapping[str, object] | None = None
    scorers: tuple[Scorer, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise EvaluationFault(f"name={self.name!r} of a case: give it a name, in text")
        if len(self.name) > LONGEST_NAME:
            raise EvaluationFault(
                f"case {self.name[:40]!r}... has a name of {len(self.name):,} characters, {LONGEST_NAME} are the most"
            )
        if self.inputs is None or self.inputs == "":
            raise EvaluationFault(f"case {self.name!r} has no inputs: say what the agent is asked")
        for field in ("targets", "labels", "trajectory"):
            if isinstance(texts := getattr(self, field), str) or not all(isinstance(one, str) for one in texts or ()):
                raise EvaluationFault(f"{field}={texts!r:.80} of case {self.name!r}: give a list of texts")
        try:
            goal = self.goal
            _ = msgspec.json.encode((self.name, goal, self.expected_output, self.targets, dict(self.metadata)))
        except (TypeError, ValueError) as error:  # half a surrogate pair is one too
            raise EvaluationFault(f"case {self.name!r} cannot be written as JSON: {error}") from None
        if len(goal) > LARGEST_TEXT:
            raise EvaluationFault(
                f"the inputs of case {self.name!r} have {len(goal):,} characters, and {LARGEST_TEXT:,} are the most"
            )

    @property
    def goal(self) -> str:
        """The inputs as the text that a run is started with."""
        return self.inputs if isinstance(self.inputs, str) else msgspec.json.encode(self.inputs).decode()

    @property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) of what the case asks and wants; its source and labels are no part."""
        said = {
            "name": self.name,
            "inputs": self.inputs,
            "expected_output": self.expected_output,
            "targets": self.targets,
            "metadata": dict(self.metadata),
            "trajectory": self.trajectory,
            "scorers": [one.identity() for one in self.scorers],
        }
        return hashlib.sha256(msgspec.json.encode(said, order="sorted")).hexdigest()


@attrs.frozen(kw_only=True)
class Dataset:
    """A set of cases; `scorers` are those of all of them, and `name` is the file's unless it has one of its own.

    Raises:
        EvaluationFault: when it is empty, or two cases share a name.
    """

    name: str
    cases: tuple[Case, ...]
    scorers: tuple[Scorer, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.cases:
            raise EvaluationFault(f"{self.name}: there is no case in it")
        seen: set[str] = set()
        for case in self.cases:
            if not isinstance(case, Case):
                raise EvaluationFault(f"{self.name}: {case!r:.80} is no case: give Case(name=..., inputs=...)")
            if case.name in seen:
                raise EvaluationFault(f"{self.name}: two cases are named {case.name!r}: give each a name of its own")
            seen.add(case.name)

    @property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) of all cases in the order of their names, and of the scorers."""
        whole = [*sorted(one.digest for one in self.cases), *(one.identity() for one in self.scorers)]
        return hashlib.sha256(msgspec.json.encode(whole, order="sorted")).hexdigest()

    @classmethod
    def of(cls, cases: Dataset | Iterable[Case], name: str = "cases") -> Dataset:
        """The set of these cases, unless it is one already."""
        if not isinstance(cases, Dataset | Iterable):
            raise EvaluationFault(
                f"{cases!r:.80} holds no cases: give a list of them, a Dataset, or the path of a file"
            )
        return cases if isinstance(cases, Dataset) else cls(name=name, cases=tuple(cases))
