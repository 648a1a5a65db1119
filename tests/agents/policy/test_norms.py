"""What is usual is learnt from runs; what is not is told with its place, and few false alarms."""

from __future__ import annotations

import random
from collections.abc import Mapping

import msgspec
import pytest

from choragus.agents.policy.norms import KEPT, MOST_PATHS, MOST_TOOLS, MOST_VALUES, Figures, Norms, usual_range

Call = tuple[str, Mapping[str, object]]


def run(*calls: Call) -> Figures:
    """The figures of a run with these calls."""
    figures = Figures()
    for tool, arguments in calls:
        figures.note(tool, arguments)
    return figures


def learnt(*runs: Figures, steps: int = 5, cost_usd: float = 0.1) -> Norms:
    """Norms of these runs."""
    norms = Norms()
    for one in runs:
        norms = norms.learn(one, steps=steps, cost_usd=cost_usd)
    return norms


def payments(times: int = 12) -> Norms:
    """Norms of runs that paid 10 to 120 to two payees."""
    return learnt(
        *(
            run(("pay", {"amount": 10 + 10 * n, "to": "AB"[n % 2], "items": [f"x{n}"], "note": f"n{n}"}))
            for n in range(times)
        )
    )


GOOD = {"amount": 90, "to": "A", "items": ["y", "z"], "note": "hello"}


def test_too_few_runs_have_no_opinion() -> None:
    norms = payments(9)

    assert norms.new_tool("wipe") == ""
    assert norms.unusual_arguments("pay", {"amount": 10**9, "evil": True}) == ""
    assert norms.unusual_spending(steps=10**6, cost_usd=1e6) == ""


def test_a_tool_that_was_never_used_is_new() -> None:
    assert payments().new_tool("wipe") == "wipe was not used in any of 12 runs of this version"
    assert payments().new_tool("pay") == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"amount": 10_000}, "$.amount is 10000; 12 runs had 10 to 120"),
        ({"amount": -5}, "$.amount is -5; it was never below 0 in 12 runs"),
        ({"amount": "90"}, "$.amount is text; it was number in 12 runs"),
        ({"to": "C"}, "$.to is a value that none of 12 runs had; they had 2"),
        ({"items": ["x"] * 500}, "$.items has a size of 500; 12 runs had 1 to 1"),
        ({"note": "x" * 5_000}, "$.note has a size of 5000; 12 runs had 2 to 3"),
        ({"bcc": "evil"}, "$.bcc was never given in 12 runs that used pay"),
        ({"items": [{"x": 1}]}, "$.items[] is object; it was text in 12 runs"),
    ],
)
def test_arguments_outside_of_what_runs_had_are_unusual(change: Mapping[str, object], why: str) -> None:
    assert payments().unusual_arguments("pay", {**GOOD, **change}) == why


@pytest.mark.parametrize("change", [{}, {"amount": 170}, {"note": "another"}, {"to": "B"}, {"items": ["q"]}])
def test_arguments_within_are_usual(change: Mapping[str, object]) -> None:
    arguments = {**GOOD, "items": ["y"], **change}

    assert payments().unusual_arguments("pay", arguments) == ""


def test_values_that_vary_are_no_list() -> None:
    norms = learnt(*(run(("mail", {"to": f"person{n}"})) for n in range(12)))

    assert norms.unusual_arguments("mail", {"to": "person99"}) == ""


def test_steps_and_cost_beyond_earlier_runs_are_unusual() -> None:
    norms = payments()

    assert norms.unusual_spending(steps=8, cost_usd=0.15) == ""
    assert norms.unusual_spending(steps=9, cost_usd=0.15) == "steps are 9; 12 runs had 5 in the middle, 5 at most"
    assert norms.unusual_spending(steps=5, cost_usd=0.5).startswith("cost_usd are 0.5; 12 runs had 0.1")


def test_one_wild_run_does_not_move_the_range() -> None:
    calm = usual_range([5.0, 6.0, 5.0, 6.0, 5.0, 6.0, 5.0, 6.0])[1]
    wild = usual_range([5.0, 6.0, 5.0, 6.0, 5.0, 6.0, 5.0, 60.0])[1]

    assert calm < 10
    assert wild == 90  # half more than the most, and not six deviations of a sample with an outlier: 118


def test_like_runs_raise_no_alarm() -> None:
    """2,000 calls from the distribution that 30 runs were drawn from, with long tails."""
    chance = random.Random(3)

    def draw() -> dict[str, object]:
        return {
            "amount": round(chance.lognormvariate(4, 1), 2),
            "to": chance.choice(["A", "B", "C"]),
            "text": "x" * int(chance.expovariate(1 / 200)),
        }

    norms = learnt(*(run(*(("pay", draw()) for _ in range(chance.randint(1, 5)))) for _ in range(30)))

    alarms = [why for _ in range(2_000) if (why := norms.unusual_arguments("pay", draw()))]

    assert len(alarms) <= 20  # 1 %


def test_norms_survive_as_a_row() -> None:
    norms = payments()

    assert Norms.of_row(msgspec.json.decode(msgspec.json.encode(norms.row()))) == norms
    with pytest.raises(msgspec.ValidationError):
        Norms.of_row({"runs": "many"})


def test_values_themselves_are_not_kept() -> None:
    norms = learnt(*(run(("login", {"password": "hunter2"})) for _ in range(12)))

    assert "hunter2" not in str(norms.row())


def test_norms_stay_small() -> None:
    big = {f"field{n}": {"deep": {"er": {"still": {"more": "x"}}}} for n in range(50)}
    runs = [run(*((f"tool{n}", big) for n in range(120)), ("many", {"v": f"{k}"})) for k in range(2)]
    norms = learnt(*runs, *(run(("tool1", {"v": str(n)})) for n in range(100)))

    assert len(norms.tools) <= MOST_TOOLS
    assert all(len(places) <= MOST_PATHS for places in norms.arguments.values())
    assert len(norms.steps) == KEPT
    assert all(len(one.values or ()) <= MOST_VALUES for places in norms.arguments.values() for one in places.values())
