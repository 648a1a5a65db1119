"""An answer of a wrong shape goes back to the model with the path of the fault, so often."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.policy.schema import OutputSchema
from choragus.agents.policy.verdict import Ask, Deny, End

from .checks import after, saying


@attrs.frozen
class Summary:
    """What a run paid."""

    paid: list[int]
    note: str = ""


POLICY = OutputSchema(Summary)


def test_a_right_answer_passes_and_can_be_parsed() -> None:
    assert POLICY.judge(saying('{"paid": [1, 2]}')) is None
    assert POLICY.parse('{"paid": [1, 2]}') == Summary([1, 2])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('{"paid": [1, "2"]}', "Expected `int`, got `str` - at `$.paid[1]`"),
        ("{}", "Object missing required field `paid`"),
        ("All paid.", "JSON is malformed"),
        ("[" * 100_000, "JSON is malformed"),
    ],
)
def test_a_wrong_answer_goes_back_with_the_path_of_its_fault(text: str, fault: str) -> None:
    verdict = POLICY.judge(saying(text))

    assert isinstance(verdict, Deny)
    if text[0] != "[":
        assert fault in verdict.reason
    assert '"required":["paid"]' in verdict.reason


def test_it_is_sent_back_so_often_and_then_not_again() -> None:
    third, fourth = (POLICY.judge(saying("All paid.", past=after(objections={POLICY.name: times}))) for times in (2, 3))

    assert isinstance(third, Deny)
    assert isinstance(fourth, End)
    assert fourth.reason.startswith("the answer is not of its schema, 4 times now: JSON is malformed")
    assert isinstance(OutputSchema(Summary, tries=0, then="ask").judge(saying("no")), Ask)


def test_the_version_is_that_of_the_schema() -> None:
    assert POLICY.version == OutputSchema(Summary).version
    assert len({POLICY.version, OutputSchema(dict[str, int]).version, OutputSchema(Summary, tries=1).version}) == 3


def test_a_type_without_a_schema_is_refused() -> None:
    with pytest.raises(AgentFault, match="no JSON Schema can be made of it"):
        OutputSchema(Callable)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(AgentFault, match="must be a whole number"):
        OutputSchema(Summary, tries=-1)
