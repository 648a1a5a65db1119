"""`choragus log`: search the entries of a file."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import datetime
from math import inf

from choragus.agents.logbook.checking import without_content
from choragus.agents.logbook.query import Logged, Search, search

from .command import RUN, Commands, reading
from .exit import Exit, Refused
from .glance import Glance
from .text import as_json, moment, page, short, visible

UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
WHEN = "2026-11-23, 2026-11-23T05:54, or an age such as 7d"
WIDTHS = (8, 19, 18)
"""Columns of the number, the time and the kind."""


def declare(commands: Commands) -> None:
    """`log`."""
    one = reading(
        commands,
        "log",
        log,
        "Every entry that fits, in the order in which they were committed: its number in the file, when,\n"
        "its kind, its stream and position, and what it says. `docs/logbook.md` lists the kinds. Without a\n"
        "run, all entries of the file are read, conversations too.",
        "choragus log runs.db --kind 'approval.*' --since 7d\n  choragus log runs.db --run 5f2c --json | jq .kind",
    )
    kind = "only kinds of this pattern, such as call.*; may be repeated"
    one.add_argument("--kind", metavar="PATTERN", action="append", default=[], help=kind)
    one.add_argument("--run", metavar="RUN", default="", help=RUN)
    one.add_argument("--agent", metavar="NAME", default="", help="only what is said of this agent, and of its runs")
    one.add_argument("--since", metavar="TIME", type=_time, default=0.0, help=f"from then on: {WHEN}")
    one.add_argument("--until", metavar="TIME", type=_time, default=inf, help="before then, likewise")
    one.add_argument("--after", metavar="N", type=int, default=0, help="only behind the entry of this number")
    one.add_argument("--limit", metavar="N", type=int, default=-1, help="so many at most")
    one.add_argument("--json", action="store_true", help="one entry to a line, whole, as JSON")
    hide = "leave out what people, models and tools have said: only what is counted, named and decided"
    one.add_argument("--no-content", action="store_true", help=hide)


def log(glance: Glance) -> Exit:
    """Print the entries that fit."""
    asked = glance.asked
    run = glance.run(asked.run).key if asked.run else ""
    wanted = Search(asked.kind, run, asked.agent, asked.since, asked.until, asked.after)
    try:
        for one in search(glance.reader, wanted, asked.limit):
            shown = one._replace(data=without_content(one.kind, one.data)) if asked.no_content else one
            print(_as_json(shown) if asked.json else _line(shown))
    except ValueError as error:
        raise Refused(str(error)) from error
    return Exit.OK


def _as_json(one: Logged) -> str:
    return as_json(dict(zip(one._fields, one, strict=True)))


def _line(one: Logged) -> str:
    number, at, kind = WIDTHS
    begin = f"{one.seq:>{number}} {moment(one.at):<{at}} {one.kind:<{kind}} "
    said = " ".join(f"{name}={_value(value)}" for name, value in one.data.items() if name != "actor")
    where = f"{one.stream.partition('/')[0]}/{one.stream.partition('/')[2][:8]}#{one.position}".replace("/#", "#")
    return short(visible(f"{begin}{where} {said}"), page())


def _value(value: object) -> str:
    return value if isinstance(value, str) and " " not in value else as_json(value)


def _time(text: str) -> float:
    """Seconds since the epoch."""
    if text[:-1].isdecimal() and text[-1] in UNITS:
        return time.time() - int(text[:-1]) * UNITS[text[-1]]
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError) as error:
        raise ArgumentTypeError(f"{text!r} is no time: write {WHEN}") from error
