"""`choragus review`: what people decided, by tool."""

from __future__ import annotations

import json

from choragus.agents.figures.review import ANSWERS, Decisions, review

from .choosing import add_choice, period_of
from .command import Commands, reading
from .counting import brief
from .exit import Exit
from .glance import Glance
from .text import GOES_ON, WIDTH, chunks, page, short, table, visible

NAME = 20
"""Columns of a tool's name."""

_FIGURES = ("ASKED", "AS IS", "EDITED", "DENIED", "ANSWERED", "EXPIRED", "MEDIAN", "P90")


def declare(commands: Commands) -> None:
    """`review`."""
    one = reading(
        commands,
        "review",
        show_review,
        "Of each tool: how often people were asked about a call of it, and what they decided. What is mostly\n"
        "approved as it was asked may need no question; what is edited or denied shows where the agent is\n"
        "wrong. Calls that standing rules approved were asked of nobody, and stand apart.",
        "choragus review runs.db --since 30d",
    )
    add_choice(one)
    one.add_argument("--json", action="store_true", help="all of it as JSON, a tool to a line")


def show_review(glance: Glance) -> Exit:
    """Print the decisions."""
    asked = glance.asked
    period = period_of(asked)
    found = review(glance.reader, period, agent=asked.agent, tenant=asked.tenant)
    if asked.json:
        for one in found:
            print(json.dumps(one.as_dict()))
        return Exit.OK
    if not found:
        print(visible(f"nobody was asked anything: {period.told()}"))
        return Exit.OK
    rows = [_row(one) for one in found]
    header: tuple[str, ...] = ("TOOL", *_FIGURES)
    if page() < WIDTH:  # the median says most of it
        header, rows = header[:-1], [row[:-1] for row in rows]
    for line in table(header, rows, page(), frozenset(_FIGURES)):
        print(line)
    for one in found:
        for said in _more(one):
            first, *more = chunks(visible(said), page() - len(GOES_ON))
            print("\n".join([f"  {first}", *(f"{GOES_ON}{piece}" for piece in more)]))
    return Exit.OK


def _row(one: Decisions) -> tuple[str, ...]:
    counts = (one.asked, one.approved, one.edited, one.denied, one.answered, one.expired)
    times = (one.seconds.median.value, one.seconds.p90.value)
    return (
        short(visible(one.tool), NAME),
        *map(str, counts),
        *("-" if value is None else brief(value) for value in times),
    )


def _more(one: Decisions) -> list[str]:
    """What is not so of every tool, behind its name."""
    told = []
    if one.untouched.value is not None and one.untouched.low is not None and one.untouched.high is not None:
        low, high = 100 * one.untouched.low, 100 * one.untouched.high
        told.append(f"{100 * one.untouched.value:.1f} % approved as asked ({low:.1f} to {high:.1f})")
    if one.fields:
        told.append("changed: " + ", ".join(f"{name} {count}x" for name, count in one.fields.items()))
    for name, what in one.by.items():
        told.append(f"{name}: " + ", ".join(f"{what[answer]} {answer}" for answer in ANSWERS if answer in what))
    if one.ruled:
        told.append(f"{one.ruled} approved by standing rules")
    if one.waiting or one.withdrawn:
        told.append(f"{one.waiting} waiting, {one.withdrawn} withdrawn when their runs ended")
    return [f"{one.tool}: " + "; ".join(told)] if told else []
