"""What an agent is tried with: cases, and a set of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import attrs
import msgspec

from choragus.agents.errors import EvaluationFault

if TYPE_CHECKING:
    from .scorer import Scorer


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
        return cases if isinstance(cases, Dataset) else cls(name=name, cases=tuple(cases))
