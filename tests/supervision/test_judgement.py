"""What `crash_everywhere` holds against a trial, as plain values: nothing runs here."""

from __future__ import annotations

from collections import Counter

import attrs
import pytest

from choragus.supervision.testing.errors import ScenarioFault
from choragus.supervision.testing.judgement import Baseline, Tolerance, baseline_of, faults
from choragus.supervision.testing.ledger import Line
from choragus.supervision.testing.order import KILLED, OVERDUE, Ended, Witness
from choragus.supervision.testing.point import CrashPoint, parse_plan, told
from choragus.supervision.testing.trial import Trial

LOG = (("system", "system.opened", "{}"), ("run/1", "paid", '{"effect":"a!3.1"}'), ("run/1", "done", '{"by":1}'))
WITNESS = Witness(outcome=[1], counts={"after commit": 3}, log=LOG, parked=(), problems=(), unfinished=())
STRICT = Tolerance(allowed=frozenset(), bodies=frozenset({"paid", "done"}))
NOTED = Line(kind="noted", life=1, effect="a!1.1", actor="a", runner="pay", what="paid 5")
BEGAN = Line(kind="began", life=1, effect="a!1.1", actor="a", runner="pay")
CLOSED = Line(kind="closed", life=1, effect="a!1.1")


def a_trial(*lines: Line, witness: Witness | None = WITNESS, code: int = 0, error: str = "") -> Trial:
    """One kill, and a life that came to its end as told."""
    killed = Ended(code=KILLED, witness=None, error="", seconds=0.0)
    last = Ended(code=code, witness=witness, error=error, seconds=0.0)
    plan = (CrashPoint("after commit", 2),)
    return Trial(plan=plan, lives=(killed, last), graves=("the turn of a on pay",), lines=lines, printed="")


def said(trial: Trial, tolerance: Tolerance = STRICT) -> tuple[str, ...]:
    """What is held against it, when the undisturbed run has paid 5 once."""
    return faults(trial, Baseline(witness=WITNESS, changes=Counter({"paid 5": 1})), tolerance)


def later(line: Line) -> Line:
    """The same in the second process."""
    return attrs.evolve(line, life=2)


def test_nothing_is_held_against_what_is_as_undisturbed() -> None:
    assert said(a_trial(BEGAN, NOTED, CLOSED)) == ()


def test_a_rerunnable_effect_that_was_interrupted_may_run_again() -> None:
    began = attrs.evolve(BEGAN, rerun=True)

    assert said(a_trial(began, later(began), later(NOTED), later(CLOSED))) == ()


@pytest.mark.parametrize(
    ("lines", "broken"),
    [
        pytest.param([], "'paid 5' never happened, undisturbed once", id="lost"),
        pytest.param([BEGAN, NOTED, later(NOTED)], "'paid 5' happened 2 times, undisturbed once: by the ", id="twice"),
        pytest.param(
            [NOTED, attrs.evolve(NOTED, effect="")],
            "'paid 5' happened 2 times, undisturbed once: done outside any effect",
            id="outside",
        ),
        pytest.param(
            [BEGAN, NOTED, CLOSED, later(BEGAN)],
            "the effect a!1.1 ('pay') was over, on disk, and ran again",
            id="finished and again",
        ),
        pytest.param(
            [BEGAN, NOTED, later(BEGAN)],
            "the effect a!1.1 ('pay') cannot be undone, was interrupted, and ran again",
            id="irreversible and again",
        ),
        pytest.param(
            [attrs.evolve(BEGAN, rerun=True), NOTED, attrs.evolve(BEGAN, rerun=True)],
            "the effect a!1.1 ('pay') ran twice in one process",
            id="twice at once",
        ),
    ],
)
def test_what_was_done_wrongly_is_held_against_it(lines: list[Line], broken: str) -> None:
    (found,) = said(a_trial(*lines))

    assert found.startswith(broken)


@pytest.mark.parametrize(
    ("witness", "broken"),
    [
        pytest.param(attrs.evolve(WITNESS, outcome=[2]), "another outcome: [2] in place of [1]", id="outcome"),
        pytest.param(
            attrs.evolve(WITNESS, problems=("entry 3 is missing",)),
            "the file does not verify: entry 3 is missing",
            id="file",
        ),
        pytest.param(
            attrs.evolve(WITNESS, parked=(("a", "no"),)), "parked: (('a', 'no'),) in place of ()", id="parked"
        ),
        pytest.param(
            attrs.evolve(WITNESS, unfinished=("a!1.1",)), "effects still open: ('a!1.1',) in place of ()", id="open"
        ),
        pytest.param(
            attrs.evolve(WITNESS, log=LOG[:2]), 'the logbook has done never, undisturbed once, {"by":1}', id="logbook"
        ),
    ],
)
def test_another_end_is_held_against_it(witness: Witness, broken: str) -> None:
    (found,) = said(a_trial(NOTED, witness=witness))

    assert found.startswith(broken)


def test_a_recovery_opens_the_file_once_more_and_counts_its_effects_on() -> None:
    log = (LOG[0], *LOG[:1], ("run/1", "paid", '{"effect":"a!5.1"}'), LOG[2])

    assert said(a_trial(NOTED, witness=attrs.evolve(WITNESS, log=log))) == ()


def test_bodies_are_compared_where_that_is_asked_for() -> None:
    trial = a_trial(NOTED, witness=attrs.evolve(WITNESS, log=(*LOG[:2], ("run/1", "done", '{"by":2}'))))

    assert len(said(trial)) == 2
    assert said(trial, attrs.evolve(STRICT, bodies=frozenset())) == ()


def test_lines_that_are_allowed_are_not_counted() -> None:
    trial = a_trial(NOTED, witness=attrs.evolve(WITNESS, log=(*LOG, LOG[2])))

    assert len(said(trial)) == 1
    assert said(trial, attrs.evolve(STRICT, allowed=frozenset({"done"}))) == ()


@pytest.mark.parametrize(
    ("code", "error", "broken"),
    [
        (70, "LookupError: who", "it did not go on: exit code 70; LookupError: who"),
        (OVERDUE, "", "it did not go on: it"),
    ],
    ids=["raised", "stuck"],
)
def test_what_does_not_come_to_its_end_is_held_against_it(code: int, error: str, broken: str) -> None:
    assert said(a_trial(witness=None, code=code, error=error))[0].startswith(broken)


def test_what_differs_undisturbed_is_no_scenario() -> None:
    other = attrs.evolve(WITNESS, log=LOG[:2])

    with pytest.raises(ScenarioFault, match=r"^the scenario pay is another each time, .* its logbook was"):
        baseline_of(a_trial(NOTED), a_trial(NOTED, witness=other), "pay", STRICT)


def test_a_plan_is_read_as_it_is_told() -> None:
    plan = (CrashPoint("before effect", 2), CrashPoint("after note", 11))

    assert parse_plan(told(plan)) == plan


@pytest.mark.parametrize("text", ["", "after commit", "after commit 0", "in between 3", "after commit -1"])
def test_what_is_no_point_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^'.*' is no crash point: write one of before commit, "):
        parse_plan(text)
