"""What says how good a trial was: the protocol, and the scorers that look at the answer."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Protocol, cast, runtime_checkable

import attrs
import msgspec

from choragus.agents.ended import EndedRun
from choragus.agents.errors import EvaluationFault
from choragus.agents.output import Output, bare
from choragus.agents.storable import storable
from choragus.agents.success import name_of
from choragus.agents.toolbelt.source import source_hash
from choragus.mailbox.codec import stored

from .case import Case

REASON = 2_000
"""Characters of a reason that are kept."""


@stored("choragus.score")
@attrs.frozen(kw_only=True)
class Score:
    """What a scorer says of one trial.

    `value` is from 0 to 1, `passed` whether that is enough. With `error` it says nothing: the scorer failed, `reason`
    says how, and both are None. That is no score of 0: the trial counts neither as passed nor as failed.
    """

    name: str
    passed: bool | None
    value: float | None = None
    reason: str = ""
    error: bool = False

    def fields(self) -> dict[str, object]:
        """The same by the names that OpenTelemetry's `gen_ai.evaluation.result` has for them."""
        label = "error" if self.error else "pass" if self.passed else "fail"
        said: dict[str, object] = {"gen_ai.evaluation.name": self.name, "gen_ai.evaluation.score.label": label}
        if self.value is not None:
            said["gen_ai.evaluation.score.value"] = self.value
        if self.reason:
            said["gen_ai.evaluation.explanation"] = self.reason
        return said | ({"error.type": "scorer"} if self.error else {})


@runtime_checkable
class Scorer(Protocol):
    """Says of an ended run how good it was for its case; None: it has nothing to say of this case.

    It is a pure function of the two, run in a thread: it must not change anything, for after a crash it is run again.
    What it raises is an error of the scorer and no score.
    """

    @property
    def name(self) -> str:
        """What its scores go by."""
        ...

    def identity(self) -> dict[str, object]:
        """What it is, in JSON: with another identity it is another evaluation."""
        ...

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """Its word."""
        ...


class Declared:
    """What scorers that are attrs classes have in common: they are what their fields are."""

    def identity(self) -> dict[str, object]:
        """The class and its fields."""
        fields = attrs.asdict(self, recurse=False)  # type: ignore[arg-type]  # its subclasses are attrs classes
        return {"scorer": type(self).__name__, **fields}


def checked(score: object) -> Score | None:
    """What a scorer gave, as it can be kept: reasons are cut to 2,000 characters, names to 200.

    Raises:
        TypeError: when it is no Score that says something.
    """
    if score is None:
        return None
    if not isinstance(score, Score):
        raise TypeError(f"it gave {score!r:.80}, which is no Score")
    if not isinstance(score.name, str) or not score.name or not isinstance(score.reason, str):
        raise TypeError(f"it gave {score!r:.200}: name and reason of a Score are texts")
    kept = attrs.evolve(score, name=storable(score.name[:200]), reason=storable(score.reason[:REASON]))
    if score.error:
        return attrs.evolve(kept, passed=None, value=None)
    if not isinstance(score.passed, bool):
        raise TypeError(f"it gave {score!r:.200}: passed of a Score is True or False, or give None and no Score")
    is_number = isinstance(score.value, float | int) and not isinstance(score.value, bool)
    if score.value is not None and not (is_number and 0 <= score.value <= 1):
        raise TypeError(f"it gave {score!r:.200}: value of a Score is a number from 0 to 1, or None")
    return kept


def as_said(name: str, passed: bool, reason: str = "", value: float | None = None) -> Score:
    """A score of 1 or 0, unless it has another value; the reason stands only where it failed."""
    worth = float(passed) if value is None else value
    return Score(name=name, passed=passed, value=worth, reason="" if passed else reason)


@attrs.frozen
class Exact(Declared):
    """The answer is the expected one: a text but for spaces at its ends, anything else compared as JSON.

    So is the text of a JSON object or list. Of a case with `targets` it is any of these. Of a case that expects nothing
    it says nothing.
    """

    ignore_case: bool = attrs.field(default=False, kw_only=True)
    value: object = attrs.field(default=None, kw_only=True)
    name: str = attrs.field(default="exact", kw_only=True)

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it is, else 0."""
        wanted = _wanted(case, self.value)
        if not wanted:
            return None
        passed = any(_is(one, run.answer, self.ignore_case) for one in wanted)
        return as_said(self.name, passed, f"{_shown(run)} is not {_told(wanted)}")


@attrs.frozen
class Contains(Declared):
    """The answer contains a text: `text`, or the expected output of the case, or one of its targets."""

    text: str = ""
    ignore_case: bool = attrs.field(default=False, kw_only=True)
    name: str = attrs.field(default="contains", kw_only=True)

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it does, else 0."""
        wanted = _wanted(case, self.text or None)
        if not wanted:
            return None
        answer = _cased(run.answer, self.ignore_case)
        passed = any(_cased(_text(one), self.ignore_case) in answer for one in wanted)
        return as_said(self.name, passed, f"{_shown(run)} has no {_told(wanted)} in it")


@attrs.frozen
class Matches(Declared):
    """A regular expression is found in the answer; `(?i)` in it ignores case. The pattern is yours to be quick."""

    pattern: str = attrs.field()
    name: str = attrs.field(default="matches", kw_only=True)

    @pattern.validator
    def _check(self, attribute: attrs.Attribute[str], value: object) -> None:
        try:
            re.compile(cast("str", value))
        except (re.error, TypeError) as error:
            raise EvaluationFault(f"Matches({value!r}): it is no regular expression: {error}") from None

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it is, else 0."""
        found = re.search(self.pattern, run.answer) is not None
        return as_said(self.name, found, f"{_shown(run)} does not match {self.pattern!r}")


@attrs.frozen
class Schema:
    """The answer is JSON of a type, with or without a code fence around it."""

    type: type[object] = attrs.field()
    name: str = attrs.field(default="schema", kw_only=True)

    @type.validator
    def _check(self, attribute: attrs.Attribute[object], value: object) -> None:
        _ = Output(cast("type[object]", value))

    def identity(self) -> dict[str, object]:
        """The digest of the type's JSON Schema."""
        return {"scorer": "Schema", "name": self.name, "schema": Output(self.type).digest}

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it is, else 0 with what does not fit."""
        fault = Output(self.type).fault(bare(run.answer))
        return as_said(self.name, not fault, fault)


@attrs.frozen
class Predicate:
    """A function of yours: of the ended run, or of the case and the run; it gives a bool, a number from 0 to 1, or a
    `Score`, or None for a case that it has nothing to say of. A number passes from `at_least` on."""

    function: Callable[..., object] = attrs.field()
    name: str = attrs.field(kw_only=True)
    at_least: float = attrs.field(default=1.0, kw_only=True)

    @name.default
    def _named(self) -> str:
        return name_of(self.function).rpartition(".")[2]

    @function.validator
    def _check(self, attribute: attrs.Attribute[object], value: object) -> None:
        if not (inspect.isfunction(value) or inspect.ismethod(value)) or inspect.iscoroutinefunction(value):
            raise EvaluationFault(f"{value!r} is no scorer: give a plain function of (run) or (case, run), or a Scorer")
        if _arguments(cast("Callable[..., object]", value)) not in (1, 2):
            raise EvaluationFault(f"scorer {name_of(value)} takes neither (run) nor (case, run)")

    def identity(self) -> dict[str, object]:
        """The hash of the function's source."""
        return {
            "scorer": "Predicate",
            "name": self.name,
            "at_least": self.at_least,
            "source": source_hash(self.function),
        }

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """What the function says."""
        said = self.function(run) if _arguments(self.function) == 1 else self.function(case, run)
        if said is None or isinstance(said, Score):
            return said
        if isinstance(said, bool):
            return as_said(self.name, said)
        if isinstance(said, int | float) and 0 <= said <= 1:
            return as_said(self.name, said >= self.at_least, f"{said:g} is below {self.at_least:g}", float(said))
        raise TypeError(
            f"{name_of(self.function)} gave {said!r:.80}: give a bool, a number from 0 to 1, a Score or None"
        )


def as_scorers(given: object) -> tuple[Scorer, ...]:
    """The scorers of an evaluation; plain functions become predicates, and two of one name are refused.

    Raises:
        EvaluationFault: with what is none.
    """
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise EvaluationFault(f"scorers={given!r}: give a list of scorers")
    found = tuple(as_scorer(one) for one in given)
    names = [one.name for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise EvaluationFault(f"several scorers are named {twice!r}: give all but one another name=")
    return found


def as_scorer(one: object) -> Scorer:
    """It as a scorer, if it is one: a plain function becomes a predicate.

    Raises:
        EvaluationFault: when it is none.
    """
    if not isinstance(one, type) and isinstance(one, Scorer):
        if not isinstance(one.name, str) or not one.name.strip():
            raise EvaluationFault(f"{one!r:.80} is named {one.name!r}: give the scorer a name, in text")
        try:
            _ = msgspec.json.encode(one.identity())
        except (TypeError, ValueError) as error:
            raise EvaluationFault(f"the identity of scorer {one.name!r} cannot be written as JSON: {error}") from None
        return one
    return Predicate(cast("Callable[..., object]", one))


def _arguments(function: Callable[..., object]) -> int:
    """How many arguments a function is to be given: those without a default, and one where all have one."""
    known = inspect.signature(function).parameters.values()
    given = [one for one in known if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if any(one.kind is one.KEYWORD_ONLY and one.default is one.empty for one in known):
        return 0
    needed = sum(one.default is one.empty for one in given)
    return needed or min(1, len(given))


def _wanted(case: Case, value: object) -> tuple[object, ...]:
    if value is not None:
        return (value,)
    if case.targets:
        return case.targets
    return () if case.expected_output is None else (case.expected_output,)


def _is(wanted: object, answer: str, ignore_case: bool) -> bool:
    if isinstance(wanted, str) and _cased(wanted.strip(), ignore_case) == _cased(answer.strip(), ignore_case):
        return True
    try:
        said: object = msgspec.json.decode(bare(answer))
        if isinstance(wanted, str) and isinstance(said, dict | list):  # JSON, as a corrected answer of a type is kept
            wanted = msgspec.json.decode(wanted)
        elif not isinstance(wanted, str):  # a value of the agent's type is compared as the JSON that it is
            wanted = msgspec.json.decode(msgspec.json.encode(wanted))
    except msgspec.DecodeError:
        return False
    return (
        type(said) is type(wanted) and said == wanted if not isinstance(wanted, float | int) else _number(said, wanted)
    )


def _number(said: object, wanted: float) -> bool:
    is_number = isinstance(said, int | float) and isinstance(said, bool) == isinstance(wanted, bool)
    return is_number and said == wanted


def _cased(text: str, ignore_case: bool) -> str:
    return text.casefold() if ignore_case else text


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _told(wanted: tuple[object, ...]) -> str:
    return " or ".join(f"{_text(one)!r:.120}" for one in wanted)


def _shown(run: EndedRun) -> str:
    if run.status != "completed":
        return f"the run ended as {run.status}: {run.reason:.120}, which"
    return f"{run.answer!r:.120}"


def mapping_within(wanted: Mapping[str, object], found: Mapping[str, object]) -> bool:
    """Whether all of these are there with these values; others may be beside them."""
    return all(name in found and found[name] == value for name, value in wanted.items())
