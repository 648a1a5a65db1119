"""Ceilings: what is one, and when the next step still fits."""

from __future__ import annotations

import math
import re

import pytest

from choragus.agents.errors import LimitFault
from choragus.agents.limits import Limits
from choragus.agents.spending import Spent, exceeded

NOTHING = Spent()
NONE = Limits(steps=None, tokens=None, cost_usd=None, active_seconds=None, tool_calls=None, bad_calls=None)
FIELDS = ["steps", "tokens", "cost_usd", "wall_seconds", "active_seconds", "tool_calls"]


def test_no_run_is_without_ceilings_unless_it_is_said_field_by_field() -> None:
    assert Limits().said() == (
        "steps 50, tokens 1000000, cost_usd 10, active_seconds 3600, tool_calls 1000, bad_calls 20, depth 3, "
        "parallel 32"
    )
    assert Limits(tokens=None).said().startswith("steps 50, cost_usd 10")


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(-1, id="negative"),
        pytest.param(math.nan, id="nan"),
        pytest.param(math.inf, id="infinity"),
        pytest.param(True, id="bool"),
        pytest.param("5", id="text"),
    ],
)
def test_a_wrong_limit_is_named_with_its_remedy(name: str, value: object) -> None:
    # A money or time limit of -1 is shown as the float that it stands for.
    shown = "-1(\\.0)?" if value == -1 else re.escape(repr(value))

    with pytest.raises(LimitFault, match=rf"^Limits\({name}={shown}\) is no limit: give .*, or None for no limit$"):
        Limits(**{name: value})  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("name", ["steps", "tokens", "tool_calls"])
def test_a_count_must_be_whole(name: str) -> None:
    with pytest.raises(LimitFault, match=rf"^Limits\({name}=1\.5\) is no limit: give a whole number, 0 or more"):
        Limits(**{name: 1.5})  # type: ignore[arg-type]  # the mistake under test


@pytest.mark.parametrize("name", FIELDS)
def test_zero_is_a_limit(name: str) -> None:
    assert getattr(Limits(**{name: 0}), name) == 0  # type: ignore[arg-type]  # the fields are amounts


def test_whole_money_is_the_same_limit_as_its_float() -> None:
    assert repr(Limits(cost_usd=1)) == repr(Limits(cost_usd=1.0))


def test_a_limit_fault_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"^Limits\(steps=-1\)"):
        Limits(steps=-1)


def test_spent_adds_up_field_by_field() -> None:
    one = Spent(steps=1, input_tokens=2, output_tokens=3, cost_usd=0.5, tool_calls=4, active_seconds=1.5)

    assert one.add(one) == Spent(
        steps=2, input_tokens=4, output_tokens=6, cost_usd=1.0, tool_calls=8, active_seconds=3.0
    )


def test_nothing_is_exceeded_without_limits() -> None:
    spent = Spent(steps=10**6, input_tokens=10**9, cost_usd=1e6, tool_calls=10**6, active_seconds=1e9)

    assert exceeded(NONE, spent, spent, wall=1e9) is None


@pytest.mark.parametrize(
    ("limits", "spent", "reserved"),
    [
        pytest.param(Limits(steps=5), Spent(steps=4), Spent(steps=1), id="steps"),
        pytest.param(Limits(tokens=100), Spent(input_tokens=40), Spent(output_tokens=60), id="tokens"),
        pytest.param(Limits(cost_usd=0.3), Spent(cost_usd=0.1 + 0.1), Spent(cost_usd=0.1), id="money"),
        pytest.param(Limits(tool_calls=0), NOTHING, NOTHING, id="tool-calls"),
        pytest.param(Limits(active_seconds=10), Spent(active_seconds=9), Spent(active_seconds=1), id="active"),
    ],
)
def test_what_fits_exactly_is_allowed(limits: Limits, spent: Spent, reserved: Spent) -> None:
    assert exceeded(limits, spent, reserved, wall=0) is None


@pytest.mark.parametrize(
    ("limits", "spent", "reserved", "sentence"),
    [
        pytest.param(
            Limits(),
            Spent(steps=50),
            Spent(steps=1),
            "steps is limited to 50, 50 are used and 1 more were asked for: raise it with Limits(steps=...)",
            id="steps",
        ),
        pytest.param(
            Limits(tokens=1_000_000),
            Spent(input_tokens=900_000, output_tokens=50_000),
            Spent(input_tokens=50_000, output_tokens=1),
            "tokens is limited to 1000000, 950000 are used and 50001 more were asked for: "
            "raise it with Limits(tokens=...)",
            id="tokens",
        ),
        pytest.param(
            Limits(cost_usd=0.5),
            Spent(cost_usd=0.45),
            Spent(cost_usd=0.0500001),
            "cost_usd is limited to 0.5, 0.45 are used and 0.0500001 more were asked for: "
            "raise it with Limits(cost_usd=...)",
            id="money",
        ),
        pytest.param(
            Limits(tool_calls=0),
            NOTHING,
            Spent(tool_calls=1),
            "tool_calls is limited to 0, 0 are used and 1 more were asked for: raise it with Limits(tool_calls=...)",
            id="tool-calls",
        ),
        pytest.param(
            Limits(active_seconds=10),
            Spent(active_seconds=10),
            NOTHING,
            "active_seconds is limited to 10 and 10 are used: raise it with Limits(active_seconds=...)",
            id="active",
        ),
    ],
)
def test_what_does_not_fit_is_a_sentence(limits: Limits, spent: Spent, reserved: Spent, sentence: str) -> None:
    refused = exceeded(limits, spent, reserved, wall=0)

    assert refused is not None
    assert refused.reason == sentence


@pytest.mark.parametrize(
    ("wall", "fits"),
    [
        pytest.param(599.9, True, id="before"),
        pytest.param(600.0, False, id="at"),
        pytest.param(601.0, False, id="after"),
    ],
)
def test_wall_time_is_up_when_it_is_used(wall: float, fits: bool) -> None:
    answer = exceeded(Limits(wall_seconds=600), NOTHING, NOTHING, wall=wall)

    assert (answer is None) is fits


def test_parallel_calls_cannot_overshoot_together() -> None:
    """Each would fit alone; what is under way counts as used."""
    limits, call = Limits(tokens=100), Spent(input_tokens=60)

    assert exceeded(limits, NOTHING, call, wall=0) is None
    assert exceeded(limits, NOTHING, call.add(call), wall=0) is not None
