"""`choragus stats`: the five figures of the runs of a file, over a period and by what they have in common."""

from __future__ import annotations

import json

from choragus.agents.figures.calls import CallFigures
from choragus.agents.figures.formula import ENDS, Figures, Quantile, Rate
from choragus.agents.figures.production import GROUPS, Production, production

from .choosing import add_choice, add_sub_runs, choice_of
from .command import Commands, reading
from .exit import Exit
from .glance import Glance
from .text import counted, duration, money, page, short, table, visible

NAME = 20
"""Columns of a group's name."""

NOTHING = "-"
"""Where there is no figure."""

_GROUPS = ("ENDED", "OPEN", "COMPLETED", "ERRORS", "ASKED", "COST", "MEDIAN", "P90")
_CALLS = ("CALLS", "ERRORS", "RETRIES", "MEDIAN", "P99", "TOKENS", "COST")


def declare(commands: Commands) -> None:
    """`stats`."""
    one = reading(
        commands,
        "stats",
        show_stats,
        "Completion rate, error rate, how often a person was needed, cost per run and time to completion of\n"
        "the runs that ended in a period, each with what it is a share of and its 95 % interval. By model and\n"
        "tool also the calls: how many, how many failed, how long they took. docs/figures.md has the formulas.",
        "choragus stats runs.db --since 7d --by day\n  choragus stats runs.db --by tool --agent clerk --json",
    )
    add_choice(one)
    add_sub_runs(one)
    one.add_argument("--by", choices=GROUPS, help="a line for each of them, beside the figures of all")
    one.add_argument("--json", action="store_true", help="all figures as JSON, with their intervals")


def show_stats(glance: Glance) -> Exit:
    """Print the figures."""
    asked = glance.asked
    found = production(glance.reader, choice_of(asked), asked.by)
    if asked.json:
        print(json.dumps(found.as_dict()))
        return Exit.OK
    print(visible(f"{counted(found.total.ended, 'run')} ended, {found.total.open} go on: {found.choice.period.told()}"))
    for line in summary(found.total):
        print(line)
    for line in _tables(found):
        print(line)
    return Exit.OK


def summary(one: Figures) -> list[str]:
    """The five figures, a line each; that there are none when no run has ended."""
    if one.empty:
        return ["no run has ended in it, so there are no figures"]
    seconds, active = one.seconds, one.active.median
    times = f"{_times(seconds.median)}, 90th percentile {_time(seconds.p90)}, 99th {_time(seconds.p99)}"
    cost = money(one.cost.value or 0.0)
    if one.cost.low is not None and one.cost.high is not None:
        cost = f"{cost} ({money(one.cost.low)} to {money(one.cost.high)})"
    each = "none completed" if one.cost_per_completed is None else f"{money(one.cost_per_completed)} a completed one"
    ends = ", ".join(f"{one.ends[name]} {name}" for name in ENDS if one.ends[name])
    return [
        f"  completed    {_rate(one.completion)}",
        f"  errors       {_rate(one.errors)}",
        f"  needed a person  {_rate(one.escalation)}, {one.questions.value or 0.0:.2f} times a run",
        f"  cost per run {cost}; {each}",
        f"  completed in {times if seconds.n else 'no time: none has'}",
        *([f"               {_time(active)} of it without waiting for people"] if seconds.n else []),
        f"  ended as     {ends}",
    ]


def _tables(found: Production) -> list[str]:
    lines: list[str] = []
    if found.by and found.groups:
        rows = [(_name(found, name), *_group(one)) for name, one in found.groups.items()]
        lines += ["", *table((found.by.upper(), *_GROUPS), rows, page(), frozenset(_GROUPS))]
    if found.calls:
        rows = [(_name(found, name), *_calls(one)) for name, one in found.calls.items()]
        lines += ["", *table((f"{str(found.by).upper()} CALLS", *_CALLS), rows, page(), frozenset(_CALLS))]
    return lines


def _name(found: Production, name: str) -> str:
    return short(visible(name[:12] if found.by == "version" else name), NAME) or NOTHING


def _group(one: Figures) -> tuple[str, ...]:
    return (
        str(one.ended),
        str(one.open),
        _percent(one.completion.value),
        _percent(one.errors.value),
        _percent(one.escalation.value),
        NOTHING if one.cost.value is None else money(one.cost.value),
        _time(one.seconds.median),
        _time(one.seconds.p90),
    )


def _calls(one: CallFigures) -> tuple[str, ...]:
    tokens = one.input_tokens + one.output_tokens
    return (
        str(one.calls),
        _percent(one.errors.value),
        str(one.retries),
        _time(one.seconds.median),
        _time(one.seconds.p99),
        str(tokens) if tokens else NOTHING,
        money(one.cost_usd) if one.cost_usd else NOTHING,
    )


def _rate(one: Rate) -> str:
    if one.value is None or one.low is None or one.high is None:
        return NOTHING
    return f"{_percent(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f}), {one.k} of {one.n}"


def _times(one: Quantile) -> str:
    if one.low is None or one.high is None:
        return f"median {_time(one)}"
    return f"median {_time(one)} ({duration(one.low)} to {duration(one.high)})"


def _time(one: Quantile) -> str:
    return NOTHING if one.value is None else duration(one.value)


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f} %"
