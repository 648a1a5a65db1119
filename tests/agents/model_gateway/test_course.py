"""What is done after a model call that came to nothing."""

from __future__ import annotations

import attrs
import pytest

from choragus.agents.errand import ModelFailed
from choragus.agents.model_gateway.course import Again, Attempts, Course, Next, Over, after_failure, chance
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.toolbelt.options import Retry

OPTIONS = ModelOptions(retries=Retry(times=2, first=1.0, most=60.0, jitter=0.0))
NONE = ModelOptions(retries=None)


def failed(*, retryable: bool = True, after: float | None = None) -> ModelFailed:
    """A call that came to nothing."""
    return ModelFailed(reason="no", retryable=retryable, started=0.0, ended=0.0, retry_after=after)


def away(kind: str, after: float) -> ModelFailed:
    """A call that was not made."""
    return attrs.evolve(failed(after=after), kind=kind, not_called=True)


@pytest.mark.parametrize(
    ("failure", "tried", "course"),
    [
        pytest.param(failed(), Attempts(failed=1), Again(1.0), id="once"),
        pytest.param(failed(), Attempts(failed=2, further=True), Again(2.0), id="twice"),
        pytest.param(failed(), Attempts(failed=3), Over(), id="too often"),
        pytest.param(failed(), Attempts(failed=3, further=True), Next(), id="too often, with another"),
        pytest.param(failed(retryable=False), Attempts(failed=1), Over(), id="for good"),
        pytest.param(failed(retryable=False), Attempts(failed=1, further=True), Next(), id="for good, with another"),
        pytest.param(failed(after=7.0), Attempts(failed=1, further=True), Again(7.0), id="as asked"),
        pytest.param(failed(after=0.2), Attempts(failed=2), Again(2.0), id="no sooner than we want"),
        pytest.param(failed(after=90.0), Attempts(failed=1), Again(90.0), id="a long wait"),
        pytest.param(failed(after=90.0), Attempts(failed=1, further=True), Next(), id="a long wait, with another"),
        pytest.param(failed(after=90.0), Attempts(failed=1, left=5.0), Again(5.0), id="up to the wall"),
        pytest.param(failed(after=9.0), Attempts(failed=1, left=5.0, further=True), Next(), id="wall, with another"),
        pytest.param(failed(after=9.0), Attempts(failed=1, left=0.0), Again(0.0), id="at the wall"),
    ],
)
def test_a_call_that_failed(failure: ModelFailed, tried: Attempts, course: Course) -> None:
    assert after_failure(OPTIONS, failure, tried) == course


@pytest.mark.parametrize(
    ("failure", "tried", "course"),
    [
        pytest.param(away("paused", 20.0), Attempts(failed=0, away=1), Again(20.0), id="a pause"),
        pytest.param(away("paused", 20.0), Attempts(failed=9, away=99), Again(30.0), id="however often"),
        pytest.param(away("paused", 20.0), Attempts(failed=0, away=1, further=True), Again(20.0), id="short"),
        pytest.param(away("paused", 99.0), Attempts(failed=0, away=1, further=True), Next(), id="long"),
        pytest.param(away("crowded", 0.0), Attempts(failed=0, away=3), Again(4.0), id="a line"),
        pytest.param(away("retries", 5.0), Attempts(failed=1, away=1), Again(5.0), id="a storm"),
        pytest.param(
            away("retries", 5.0),
            Attempts(failed=1, away=1, further=True),
            Next(),
            id="a storm, another",
        ),
        pytest.param(away("paused", 20.0), Attempts(failed=0, away=1, left=3.0), Again(3.0), id="wall"),
        pytest.param(away("unavailable", 30.0), Attempts(failed=1, away=1), Again(30.0), id="open"),
        pytest.param(away("unavailable", 30.0), Attempts(failed=0, away=1, further=True), Next(), id="open, another"),
    ],
)
def test_a_call_that_was_not_made_waits_and_is_no_failure(
    failure: ModelFailed, tried: Attempts, course: Course
) -> None:
    assert after_failure(OPTIONS, failure, tried) == course


@pytest.mark.parametrize(("further", "course"), [(False, Over()), (True, Next())])
def test_without_retries_a_failure_is_final_for_its_model(further: bool, course: Course) -> None:
    assert after_failure(NONE, failed(), Attempts(failed=1, further=further)) == course
    assert after_failure(NONE, away("unavailable", 9.0), Attempts(failed=0, away=1, further=further)) == course


def test_waits_are_spread_and_the_same_in_every_process() -> None:
    options = ModelOptions(retries=Retry(times=3, first=1.0, most=60.0, jitter=0.5))
    drawn = [chance("run", number) for number in range(100)]

    waits = [after_failure(options, failed(after=10.0), Attempts(failed=1, chance=one)) for one in drawn]

    seconds = [course.wait for course in waits if isinstance(course, Again)]
    assert len(set(seconds)) == 100
    assert 10.0 <= min(seconds) < 11.0
    assert 14.0 < max(seconds) < 15.0
    assert chance("run", 7) == 0.42975150141865015
