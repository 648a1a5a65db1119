"""The runs of a file as the figures count them, from their rows in the file. The standard library only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from choragus.mailbox.reader import Reader

from .formula import Outcome
from .period import ALWAYS, Period, day


class Choice(NamedTuple):
    """Which runs: those that ended in the period, and those that go on as far as it is not over.

    Args:
        agent: only its runs; those of all by default.
        tenant: only those for it.
        sub_runs: count sub-runs too. Without them what they cost belongs to the run that they are below.
    """

    period: Period = ALWAYS
    agent: str = ""
    tenant: str = ""
    sub_runs: bool = False


EVERY = Choice()
"""All runs that are no sub-runs."""


class CountedRun(NamedTuple):
    """A run, by what it is grouped, and what it counts as."""

    run: str
    agent: str
    tenant: str
    version: str
    ended: float
    outcome: Outcome

    @property
    def day(self) -> str:
        """The local day on which it ended; nothing while it goes on."""
        return day(self.ended) if self.ended else ""


def counted(reader: Reader, choice: Choice = EVERY) -> Iterator[CountedRun]:
    """The runs that are chosen, by their starts. Those that were pruned are not there."""
    rows = [(one.key, one.data) for one in reader.views("run")]
    cost = {} if choice.sub_runs else _with_sub_runs(rows)
    for run, row in rows:
        outcome = outcome_of(row)
        if is_chosen(choice, row, outcome):
            outcome = outcome._replace(cost_usd=cost[run]) if run in cost else outcome
            yield CountedRun(
                run=run,
                agent=str(row.get("agent", "")),
                tenant=str(row.get("tenant", "")),
                version=str(row.get("manifest", "")),
                ended=number(row, "ended") if outcome.ended else 0.0,
                outcome=outcome,
            )


def outcome_of(row: Mapping[str, object]) -> Outcome:
    """What a run counts as, by the fields of its row: those of `choragus.agents.RunSummary`."""
    succeeded = row.get("succeeded")
    return Outcome(
        status=str(row.get("status", "")),
        succeeded=succeeded if isinstance(succeeded, bool) else None,
        questions=int(number(row, "questions")),
        cost_usd=number(row, "cost_usd"),
        seconds=max(0.0, number(row, "ended") - number(row, "started")),
        waited=number(row, "waited"),
        steps=int(number(row, "steps")),
        tokens=int(number(row, "input_tokens") + number(row, "output_tokens")),
    )


def number(fields: Mapping[str, object], name: str) -> float:
    """A field that is a number; 0.0 when it is none, or not there."""
    value = fields.get(name, 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def is_chosen(choice: Choice, row: Mapping[str, object], outcome: Outcome) -> bool:
    """Whether a run is among those that are chosen, by its row and what it counts as."""
    if (choice.agent and row.get("agent") != choice.agent) or (row.get("parent") and not choice.sub_runs):
        return False
    if choice.tenant and row.get("tenant", "") != choice.tenant:
        return False
    if outcome.ended:
        return number(row, "ended") in choice.period
    return choice.period.until is None or number(row, "started") < choice.period.until


def _with_sub_runs(rows: list[tuple[str, dict[str, object]]]) -> dict[str, float]:
    """What each run below which there are others has cost with these."""
    parents = {run: str(row["parent"]) for run, row in rows if row.get("parent")}
    own = {run: number(row, "cost_usd") for run, row in rows}
    whole: dict[str, float] = {}
    for run in parents:
        above, seen = parents.get(run, ""), {run}
        while above in own and above not in seen:
            seen.add(above)
            whole[above] = whole.get(above, own[above]) + own[run]
            above = parents.get(above, "")
    return whole
