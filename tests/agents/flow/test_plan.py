"""What a plan may be, and what a model is told of one that is none."""

from __future__ import annotations

import pytest

from choragus.agents.flow.committing import commit_plan
from choragus.agents.flow.plan import MOST, BadPlan, parse_plan

from .bank import step, taken


@pytest.mark.parametrize(
    ("calls", "reason"),
    [
        ([{"name": "a"}], r"^call 1 of the plan is \{'name': 'a'\}: write"),
        ([{"tool": "x", "arguments": 1}], r"^call 1 of the plan is .*: write"),
        ([{"tool": "x", "argument": {}}], r"^call 1 of the plan has 'argument': it takes arguments, each, name, tool$"),
        ([step("a", "x"), step("a", "y")], r"^call 2 of the plan is named 'a' as an earlier one"),
        ([step("a", "x", to=taken("b", "$"))], r"^call 1 of the plan, to is from 'b': name an earlier call"),
        ([step("a", "x"), step("b", "y", to=taken("a", "id"))], r"path 'id' does not begin with '\$'"),
        ([step("a", "x"), step("b", "y", to=taken("a", "$.[x]"))], r"cannot be read from '\.\[x\]' on"),
        ([step("a", "x"), step("b", "y", to=taken("a", "$", kind="iban"))], r"is of kind 'iban': choose from text"),
        ([step("a", "x"), step("b", "y", to=taken("a", "$", wher={}))], r"has 'wher': it takes"),
        ([step("a", "x", to={"$one_of": []})], r"\$one_of is \[\], give a list of values$"),
        ([step("a", "x", to={"$text": "{0}", "with": ["b"]})], r"`with` takes references only"),
        (
            [step("a", "x"), step("b", "y", to={"$text": "no", "with": [taken("a", "$")]})],
            r"\{0\} is missing in \$text",
        ),
        ([step(str(n), "x") for n in range(MOST + 1)], r"^the plan has 201 calls and may have 200"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_a_badly_formed_plan_names_what_is_wrong(calls: list[dict[str, object]], reason: str) -> None:
    with pytest.raises(BadPlan, match=reason):
        parse_plan(calls)


async def test_committing_a_bad_plan_is_an_error_that_the_model_reads() -> None:
    with pytest.raises(BadPlan, match="from 'b'"):
        await commit_plan([step("a", "x", to=taken("b", "$"))])


async def test_committing_says_how_much_is_planned() -> None:
    assert await commit_plan([step("a", "x")]) == "1 calls are planned"
