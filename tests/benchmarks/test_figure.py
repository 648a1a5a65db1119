"""Figures, targets and their verdicts, as they are printed."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest
from benchmarks import actor_scale, figure, target
from benchmarks.figure import Figure, Section, cost, interleaved, rate
from benchmarks.target import Target, at_least, at_most


@pytest.mark.parametrize(
    ("promise", "value", "verdict"),
    [
        pytest.param(at_least(0.55), 0.549, "MISSED", id="below-the-least"),
        pytest.param(at_least(0.55), 0.55, "met", id="just-the-least"),
        pytest.param(at_least(0.55), 9.0, "met", id="far-above-without-stretch"),
        pytest.param(at_least(0.55, 0.8), 0.79, "met", id="below-the-stretch"),
        pytest.param(at_least(0.55, 0.8), 0.8, "stretch", id="just-the-stretch"),
        pytest.param(at_most(600), 600.4, "MISSED", id="above-the-most"),
        pytest.param(at_most(600), 600.0, "met", id="just-the-most"),
        pytest.param(at_most(600, 500), 499.0, "stretch", id="below-the-stretch-of-a-cost"),
        pytest.param(at_least(0.55, 0.8), float("nan"), "MISSED", id="nothing-measured"),
    ],
)
def test_a_verdict_says_how_far_a_promise_is_kept(promise: Target, value: float, verdict: str) -> None:
    assert promise.verdict(value) == verdict


def test_a_target_is_about_the_ratio_and_without_one_about_our_own_figure() -> None:
    slow = rate("tell", "messages/s", 100, [2.0], [1.0], target=at_least(0.55))
    fat = Figure(name="idle", unit="bytes", ours=601.0, other=9.0, target=at_most(600))

    assert (slow.promised, slow.verdict) == (0.5, "MISSED")
    assert (fat.promised, fat.verdict) == (601.0, "MISSED")


def test_a_figure_without_a_target_has_no_verdict() -> None:
    assert Figure(name="import", unit="ms", ours=1.0).verdict == ""


def test_a_rate_is_ours_by_theirs_of_each_round() -> None:
    twice = rate("ask", "asks/s", 10, [1.0, 2.0, 1.0], [2.0, 4.0, 9.0], second=[3.0, 6.0, 1.0])

    assert (twice.ours, twice.other, twice.ratio, twice.second) == (10.0, 2.5, 2.0, 3.0)


def test_a_cost_is_ours_by_theirs_of_each_round() -> None:
    half = cost("idle", "bytes", [1.0, 2.0, 9.0], [2.0, 4.0, 9.0])

    assert (half.ours, half.other, half.ratio) == (2.0, 4.0, 0.5)


def test_a_section_says_which_targets_are_missed() -> None:
    figures = [
        rate("tell", "messages/s", 100, [1.0], [1.0], target=at_least(0.55, 0.8)),
        rate("ask", "asks/s", 100, [2.0], [1.0], target=at_least(0.85)),
        Figure(name="import", unit="ms", ours=1.0),
    ]

    lines = str(Section("Actors", "deque", figures)).splitlines()

    assert [line.split()[-1] for line in lines if "of the rate" in line] == ["stretch", "MISSED"]
    assert "  Targets met: 1 of 2." in lines
    assert "  Missed: ask, 0.5, target at least 0.85." in lines


def test_a_section_without_targets_has_neither_columns_nor_a_summary_for_them() -> None:
    printed = str(Section("Import", "bare", [cost("import", "ms", [1.0], [2.0])], ["a note"]))

    assert printed.splitlines() == [
        "Import",
        "",
        "          choragus  bare     choragus / other",
        "  import      1 ms  2 ms  0.50 times the cost",
        "",
        "  - a note",
    ]


def test_a_section_without_figures_is_its_notes() -> None:
    assert str(Section("Others", "the other", [], ["skipped"])) == "Others\n\n  - skipped"


def test_every_round_begins_with_another_side() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    taken = interleaved(lambda: side("a"), lambda: side("b"), rounds=3)

    assert "".join(order) == "abbaab"
    assert taken == [[1.0, 4.0, 5.0], [2.0, 3.0, 6.0]]


@pytest.mark.parametrize("module", [figure, target, actor_scale], ids=lambda module: module.__name__)
def test_the_examples_of_the_docstrings_hold(module: ModuleType) -> None:
    tried = doctest.testmod(module)

    assert tried.attempted > 0
    assert tried.failed == 0
