"""Plans and revisions held against what they must be, without any run."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.errors import AgentFault
from choragus.agents.plan.book import PROPOSED, STARTED, SUCCEEDED, Book, book_fields
from choragus.agents.plan.checking import MOST_FAULTS, circular, faults_of_plan, faults_of_revision
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.step import MOST_GOAL, Done, Plan, PlanStep, malformed


def step(id: str, *after: str, **more: object) -> PlanStep:
    return PlanStep(id, f"Do {id}.", after=after, **more)  # type: ignore[arg-type]  # as the test gives it


def chain(length: int) -> list[PlanStep]:
    return [step(f"s{n}", *([f"s{n - 1}"] if n else [])) for n in range(length)]


def test_a_plan_of_the_most_steps_stands_and_one_more_does_not() -> None:
    planning = Planning()

    assert faults_of_plan(chain(1000), planning, []) == []
    assert faults_of_plan(chain(1001), planning, []) == ["the plan has 1,001 steps and may have 1,000: join some"]


def test_a_long_circle_is_found_without_deep_calls_or_a_long_wait() -> None:
    steps = [*chain(20_000)[1:], step("s0", "s19999")]
    began = time.process_time()

    found = circular({one.id: one for one in steps})

    assert len(found) == 20_000
    assert time.process_time() - began < 5


def test_no_more_faults_are_told_than_can_be_read() -> None:
    steps = [step(f"s{n}", "nobody") for n in range(50)]

    assert len(faults_of_plan(steps, Planning(), [])) == MOST_FAULTS


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(0, 7), max_size=3), min_size=1, max_size=8))
def test_a_plan_that_stands_can_be_carried_out_to_its_end(waits: list[list[int]]) -> None:
    """Whatever waits for whatever: a plan without faults has a next step until all are over, and one with has not."""
    steps = [step(f"s{n}", *dict.fromkeys(f"s{m}" for m in after)) for n, after in enumerate(waits)]
    faults = faults_of_plan(steps, Planning(), [])
    book = Book()
    known = {one.id for one in steps}
    if any(set(one.after) - known for one in steps):
        assert faults
        return
    book.take(PROPOSED, book_fields(1, "model", "", steps))

    order: list[str] = []
    while ready := book.ready:
        order.append(ready.step.id)
        book.take(STARTED, {"step": ready.step.id, "since": 0})
        book.take(SUCCEEDED, {"step": ready.step.id, "outcome": "", "by": "model"})

    assert (len(order) == len(steps)) == (not faults)
    assert all(order.index(name) < order.index(one.id) for one in steps if one.id in order for name in one.after)


def test_a_revision_may_wait_for_what_is_over_but_not_touch_it() -> None:
    book = Book()
    book.take(PROPOSED, book_fields(1, "model", "", [step("a"), step("b", "a")]))
    book.take(STARTED, {"step": "a", "since": 0})
    book.take(SUCCEEDED, {"step": "a", "outcome": "", "by": "model"})

    assert faults_of_revision(book, [step("c", "a")], [], Planning(), []) == []
    assert faults_of_revision(book, [step("b")], [], Planning(), []) == []
    assert faults_of_revision(book, [], ["b"], Planning(), []) == []
    assert faults_of_revision(book, [step("a")], [], Planning(), [])[0].startswith("step 'a' is succeeded")
    assert faults_of_revision(book, [step("c")], [], Planning(steps=2), []) == [
        "the plan has 3 steps and may have 2: join some"
    ]


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (PlanStep("a b", "x"), "'a b' is no id of a step"),
        (PlanStep("a", " "), "step 'a' has no goal"),
        (PlanStep("a", "x" * (MOST_GOAL + 1)), "has 2,001 characters and may have 2,000"),
        (PlanStep("a", "x", after="b"), "after='b' of step 'a': give a list of names"),
        (PlanStep("a", "x", tools="look"), "tools='look' of step 'a': give a list of names"),
        (PlanStep("a", "x", done="said"), "done='said' of step 'a' is no criterion"),  # type: ignore[arg-type]  # so
        (PlanStep("a", "x", done=Done(kind="felt")), "is no criterion"),
        ("a", "is no PlanStep"),
    ],
)
def test_a_step_that_is_none_is_refused(wrong: object, fault: str) -> None:
    assert fault in malformed(wrong)
    with pytest.raises(AgentFault):
        Plan([wrong])  # type: ignore[list-item]  # that is what is tried


@pytest.mark.parametrize("steps", [[], 5, None])
def test_a_plan_without_steps_is_refused(steps: object) -> None:
    with pytest.raises(AgentFault, match="has no steps: give a list of PlanStep"):
        Plan(steps)  # type: ignore[arg-type]  # that is what is tried
