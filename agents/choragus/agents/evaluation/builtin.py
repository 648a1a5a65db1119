"""The evaluators that pydantic-evals writes by name, as scorers of ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import attrs
import msgspec

from choragus.agents.ended import EndedRun
from choragus.agents.errors import AgentError, EvaluationFault
from choragus.agents.judge import Judge
from choragus.agents.output import bare

from .case import Case
from .conduct import AtMost, Order, Trajectory
from .judging import Judged
from .scorer import Contains, Declared, Exact, Score, Scorer, as_said

TYPES = {
    "str": str,
    "int": int,
    "float": float,
    "bool": bool,
    "list": list,
    "dict": dict,
    "NoneType": type(None),
}

Fields = Mapping[str, object]


@attrs.frozen
class IsInstance(Declared):
    """The answer is JSON of one of the plain types; a text that is no JSON is a `str`."""

    type_name: str
    name: str = attrs.field(default="IsInstance", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.type_name not in TYPES:
            known = ", ".join(TYPES)
            raise EvaluationFault(
                f"{self.type_name!r} is no plain type ({known}): use the scorer Schema(TYPE) for others"
            )

    def score(self, case: Case, run: EndedRun) -> Score | None:
        """1 when it is, else 0."""
        try:
            said: object = msgspec.json.decode(bare(run.answer))
        except msgspec.DecodeError:
            said = run.answer
        is_text = self.type_name == "str"  # of an agent whose answers are text it is one, whatever stands in it
        return as_said(self.name, is_text or type(said) is TYPES[self.type_name], f"it is a {type(said).__name__}")


def scorers_of(given: Sequence[object]) -> tuple[tuple[Scorer, ...], list[str]]:
    """The scorers that these evaluators are, and what is wrong with the others."""
    found: list[Scorer] = []
    faults: list[str] = []
    for one in given:
        try:
            found.append(_scorer(one))
        except AgentError as error:
            faults.append(str(error))
    return tuple(found), faults


def _scorer(given: object) -> Scorer:
    """One of the three forms: a name, a name with its one argument, a name with its arguments."""
    said: object = {}
    if isinstance(given, str):
        name = given
    elif isinstance(given, Mapping) and len(given) == 1:
        name, said = next(iter(cast("Mapping[str, object]", given).items()))
    else:
        raise EvaluationFault(f"{given!r:.80} is no evaluator: give a name, or {{NAME: ARGUMENTS}}")
    if name not in _KNOWN:
        raise EvaluationFault(f"{name!r} is none that is known here: {', '.join(_KNOWN)}; others are scorers in Python")
    first, known, make = _KNOWN[name]
    fields = _fields(said, first, known)
    unknown = [one for one in fields if one not in known]
    if unknown or (first and first not in fields):
        what = f"has no argument {unknown[0]!r}" if unknown else f"needs {first!r}"
        raise EvaluationFault(f"{name} {what}: its arguments are {', '.join(known) or 'none'}")
    try:
        return make(fields, str(fields.get("evaluation_name") or name))
    except (TypeError, ValueError) as error:
        raise error if isinstance(error, AgentError) else EvaluationFault(f"{name}: {error}") from None


def _fields(said: object, first: str, known: Sequence[str]) -> Fields:
    """By name: a mapping whose keys are all arguments has them, anything else is the first argument."""
    if isinstance(said, Mapping) and (not said or all(one in known for one in said)):
        return cast("Fields", said)
    if isinstance(said, Mapping) and first not in ("value", "expected_arguments"):
        return cast("Fields", said)
    return {first: said}


def _judge(fields: Fields, name: str) -> Scorer:
    model = fields.get("model")
    if not isinstance(model, str):
        raise EvaluationFault("LLMJudge has no model: name it as `model: openai:gpt-5-mini`")
    if isinstance(fields.get("score"), Mapping) and fields.get("assertion") is False:
        raise EvaluationFault("LLMJudge with a score and no assertion has no threshold: leave `assertion` on")
    return Judged(
        Judge(model.replace("openai-chat:", "openai:"), str(fields["rubric"]), name=name),
        expected=bool(fields.get("include_expected_output")),
    )


def _contains(fields: Fields, name: str) -> Scorer:
    if not isinstance(fields["value"], str):
        raise EvaluationFault(f"Contains: {fields['value']!r:.80} is no text, and answers are searched as text here")
    return Contains(fields["value"], ignore_case=fields.get("case_sensitive") is False, name=name)


def _trajectory(fields: Fields, name: str) -> Scorer:
    order = fields.get("order", "in_order")
    orders: dict[object, Order] = {"exact": "exact", "in_order": "subsequence", "any_order": "set"}
    if order not in orders:
        raise EvaluationFault(f"TrajectoryMatch: order={order!r} is none of exact, in_order, any_order")
    return Trajectory(cast("tuple[str, ...]", fields["expected_trajectory"]), order=orders[order], name=name)


def _arguments(fields: Fields, name: str) -> Scorer:
    if fields.get("match_mode", "subset") != "subset" or fields.get("occurrence", "first") not in ("first", "any"):
        raise EvaluationFault("ArgumentCorrectness: only match_mode subset of any occurrence is known here")
    wanted = {str(fields["tool_name"]): cast("Mapping[str, object]", fields.get("expected_arguments") or {})}
    return Trajectory((), arguments=wanted, name=name)


def _whole(fields: Fields, name: str) -> int:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise EvaluationFault(f"{name}={value!r} is no whole number, 0 or more")
    return value


def _number(fields: Fields, name: str) -> float:
    value = fields[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise EvaluationFault(f"{name}={value!r} is no number, 0 or more")
    return float(value)


_NAMED = ("evaluation_name",)
_KNOWN: dict[str, tuple[str, Sequence[str], Callable[[Fields, str], Scorer]]] = {
    "EqualsExpected": ("", _NAMED, lambda fields, name: Exact(name=name)),
    "Equals": ("value", ("value", *_NAMED), lambda fields, name: Exact(value=fields["value"], name=name)),
    "Contains": ("value", ("value", "case_sensitive", "as_strings", *_NAMED), _contains),
    "IsInstance": (
        "type_name",
        ("type_name", *_NAMED),
        lambda fields, name: IsInstance(str(fields["type_name"]), name=name),
    ),
    "MaxDuration": (
        "seconds",
        ("seconds",),
        lambda fields, name: AtMost(seconds=_number(fields, "seconds"), name=name),
    ),
    "LLMJudge": (
        "rubric",
        ("rubric", "model", "include_input", "include_expected_output", "score", "assertion"),
        _judge,
    ),
    "TrajectoryMatch": ("expected_trajectory", ("expected_trajectory", "order", *_NAMED), _trajectory),
    "ArgumentCorrectness": (
        "tool_name",
        ("tool_name", "expected_arguments", "match_mode", "occurrence", *_NAMED),
        _arguments,
    ),
    "ToolCorrectness": (
        "expected_tools",
        ("expected_tools", "allow_extra", *_NAMED),
        lambda fields, name: _tools(fields, name),
    ),
    "MaxToolCalls": (
        "max_calls",
        ("max_calls", *_NAMED),
        lambda fields, name: AtMost(tool_calls=_whole(fields, "max_calls"), name=name),
    ),
    "MaxModelRequests": (
        "max_requests",
        ("max_requests", *_NAMED),
        lambda fields, name: AtMost(steps=_whole(fields, "max_requests"), name=name),
    ),
}


def _tools(fields: Fields, name: str) -> Scorer:
    if fields.get("allow_extra") is not True:
        raise EvaluationFault(
            "ToolCorrectness without allow_extra has no counterpart: use TrajectoryMatch, order exact"
        )
    return Trajectory(cast("tuple[str, ...]", fields["expected_tools"]), order="set", name=name)
