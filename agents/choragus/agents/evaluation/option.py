"""How an evaluation is run, and what is no way to run one."""

from __future__ import annotations

from math import inf

import attrs

from choragus.agents.errors import EvaluationFault

from .baseline import Baseline, Rule
from .people import People, check_people
from .trying import Told

MOST = 1_000
"""Times that a case is tried, and runs that go on at a time."""


@attrs.frozen(kw_only=True)
class Options:
    """How an evaluation is run; as `evaluate` has them."""

    repeats: int
    at_once: int
    key: str
    cost_usd: float | None
    ledger: str
    seconds: float | None
    people: People
    at_least: float | None
    baseline: Baseline | None
    rule: Rule
    on_trial: Told | None

    def __attrs_post_init__(self) -> None:
        check_people(self.people)
        for name, value, most in (("repeats", self.repeats, MOST), ("at_once", self.at_once, MOST)):
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise EvaluationFault(f"{name}={value!r} is no whole number from 1 to {most:,}")
        for name, amount in (("cost_usd", self.cost_usd), ("seconds", self.seconds)):
            if amount is not None and not (_is_number(amount) and 0 < amount < inf):
                raise EvaluationFault(f"{name}={amount!r} leaves room for nothing: give a number above 0, or None")
        if self.at_least is not None and not (_is_number(self.at_least) and 0 <= self.at_least <= 1):
            raise EvaluationFault(f"at_least={self.at_least!r} is no share: give a number from 0 to 1")
        for name, text in (("key", self.key), ("ledger", self.ledger)):
            if not isinstance(text, str):
                raise EvaluationFault(f"{name}={text!r} is no text: give a str")
        for name, given, kind in (("baseline", self.baseline, Baseline), ("rule", self.rule, Rule)):
            if given is not None and not isinstance(given, kind):
                raise EvaluationFault(f"{name}={given!r:.80} is no {kind.__name__}")
        if self.on_trial is not None and not callable(self.on_trial):
            raise EvaluationFault(
                f"on_trial={self.on_trial!r:.80} cannot be called: give a function of (trial, done, all)"
            )


def _is_number(given: object) -> bool:
    return isinstance(given, int | float) and not isinstance(given, bool)
