"""What is spent of a budget, set aside, and presumed."""

from __future__ import annotations

from choragus.agents.budget import Budget, Claim
from choragus.agents.limits import Limits
from choragus.agents.spending import Spent


def claim(token: str, cost: float) -> Claim:
    """A model call that may cost so much."""
    return Claim(token=token, most=Spent(steps=1, cost_usd=cost))


def test_what_was_presumed_of_a_call_is_corrected_by_what_it_has_cost() -> None:
    budget = Budget()
    budget.set_aside(claim("a", 0.4))
    budget.presume("a")
    presumed = budget.spent.cost_usd

    change = budget.spend("a", Spent(steps=1, cost_usd=0.1))

    assert (presumed, budget.spent.cost_usd, change.cost_usd) == (0.4, 0.1, -0.3)


def test_a_claim_that_fits_when_others_have_settled_waits_and_one_that_never_fits_does_not() -> None:
    budget = Budget(limits=Limits(cost_usd=1.0))
    budget.set_aside(claim("a", 0.6))

    later = budget.room(claim("b", 0.6), now=0.0, opened=0.0)
    never = budget.room(claim("b", 1.1), now=0.0, opened=0.0)

    assert later is not None
    assert never is not None
    assert (later.passes, never.passes) == (True, False)


def test_a_last_call_is_not_bound_by_time() -> None:
    budget = Budget(limits=Limits(wall_seconds=5))
    last = Claim(token="a", most=Spent(steps=1), final=True)

    assert budget.room(claim("a", 0.0), now=10.0, opened=0.0) is not None
    assert budget.room(last, now=10.0, opened=0.0) is None


def test_claims_wait_in_their_order_and_come_out_as_they_went_in() -> None:
    budget = Budget()
    for token in "ab":
        budget.queue.put(claim(token, 0.1))

    budget.queue.put(claim("first", 0.2), at=0)

    assert ("a" in budget.queue, len(budget.queue)) == (True, 3)
    assert [budget.queue.pop() for _ in range(3)] == [claim("first", 0.2), claim("a", 0.1), claim("b", 0.1)]
