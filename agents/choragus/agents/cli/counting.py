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
from .text import WIDTH, counted, money, page, short, table, visible

NAME, SHORT_NAME = 30, 18
"""Columns of a group's name, and of one on a narrow page."""

NOTHING = "-"
"""Where there is no figure."""

_GROUPS = ("ENDED", "OPEN", "DONE", "ERRORS", "ASKED", "COST", "MEDIAN", "P90")
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
    one.add_argument(
        "--by", metavar="WHAT", choices=GROUPS, help=f"also a line for each {', '.join(GROUPS[:-1])} or {GROUPS[-1]}"
    )
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
        return ["no run has ended in it, so there are no figures; --sub-runs counts those that other runs began"]
    seconds, active = one.seconds, one.active.median
    cost = money(one.cost.value or 0.0)
    if one.cost.low is not None and one.cost.high is not None:
        cost = f"{cost} ({money(one.cost.low)} to {money(one.cost.high)})"
    each = "none completed" if one.cost_per_completed is None else f"{money(one.cost_per_completed)} a completed one"
    ends = ", ".join(f"{one.ends[name]} {name}" for name in ENDS if one.ends[name])
    return [
        f"  completed      {_rate(one.completion)}",
        f"  errors         {_rate(one.errors)}",
        f"  asked a person {_rate(one.escalation)}; {one.questions.value or 0.0:.2f} times a run",
        f"  cost per run   {cost}; {each}",
        f"  time, median   {_times(seconds.median)}; {_time(active)} without waiting for people",
        f"  time           90 % within {_times(seconds.p90)}; 99 % within {_time(seconds.p99)}",
        f"  ended as       {ends}",
    ]


def brief(seconds: float) -> str:
    """A stretch of time in at most 8 columns.

    >>> brief(0.0213), brief(99.94), brief(3600), brief(86_400), brief(864_000)
    ('0.021 s', '99.9 s', '60.0 min', '24.0 h', '10.0 d')
    """
    if seconds < 1:
        return f"{seconds:.3f} s"
    for size, name in ((1, "s"), (60, "min"), (3600, "h")):
        if seconds < 99.95 * size:
            return f"{seconds / size:.1f} {name}"
    return f"{seconds / 86_400:.1f} d"


def brief_count(number: int) -> str:
    """A number in at most 6 columns.

    >>> brief_count(99_999), brief_count(632_000), brief_count(6_320_000)
    ('99999', '632k', '6.3M')
    """
    if number < 100_000:
        return str(number)
    return f"{number / 1e3:.0f}k" if number < 1e6 else f"{number / 1e6:.1f}M"


def _tables(found: Production) -> list[str]:
    lines: list[str] = []
    by, width = str(found.by).upper(), page()
    if found.by and found.groups:
        rows = [(_name(found, name, width), *_group(one)) for name, one in found.groups.items()]
        columns: tuple[str, ...] = (by, *_GROUPS)
        if width < WIDTH:  # how many go on is not worth the room
            columns, rows = _without(columns, 2), [_without(row, 2) for row in rows]
        lines += ["", *table(columns, rows, width, frozenset(_GROUPS))]
    if found.calls:
        rows = [(_name(found, name, width), *_calls(one)) for name, one in found.calls.items()]
        lines += ["", *table((f"{by} CALLS"[:SHORT_NAME], *_CALLS), rows, width, frozenset(_CALLS))]
    return lines


def _without(row: tuple[str, ...], column: int) -> tuple[str, ...]:
    return row[:column] + row[column + 1 :]


def _name(found: Production, name: str, width: int) -> str:
    name = visible(name[:12] if found.by == "version" else name)
    return short(name, SHORT_NAME if width < WIDTH else NAME) or NOTHING


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
        brief_count(tokens) if tokens else NOTHING,
        money(one.cost_usd) if one.cost_usd else NOTHING,
    )


def _rate(one: Rate) -> str:
    if one.value is None or one.low is None or one.high is None:
        return NOTHING
    return f"{_percent(one.value)} ({100 * one.low:.1f} to {100 * one.high:.1f}), {one.k} of {one.n}"


def _times(one: Quantile) -> str:
    if one.low is None or one.high is None:
        return _time(one)
    return f"{_time(one)} ({brief(one.low)} to {brief(one.high)})"


def _time(one: Quantile) -> str:
    return NOTHING if one.value is None else brief(one.value)


def _percent(value: float | None) -> str:
    return NOTHING if value is None else f"{100 * value:.1f}%"
