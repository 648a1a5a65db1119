"""Which runs a command is about: the options of a period, an agent and a tenant, and what they come to."""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace

from choragus.agents.figures.counted import Choice
from choragus.agents.figures.period import Period, period

from .exit import Refused

TIMES = "so long ago (30m, 24h, 7d, 2w), a local day (2026-11-23) or a time (2026-11-23T09:00)"


def add_choice(one: ArgumentParser) -> None:
    """The options."""
    one.add_argument("--since", metavar="TIME", default="", help=f"from then on: {TIMES}")
    one.add_argument("--until", metavar="TIME", default="", help="up to then, the same way; a day up to its end")
    one.add_argument("--agent", metavar="NAME", default="", help="only the runs of this agent")
    one.add_argument("--tenant", metavar="NAME", default="", help="only the runs for this tenant")


def add_sub_runs(one: ArgumentParser) -> None:
    """Whether sub-runs count."""
    one.add_argument("--sub-runs", action="store_true", help="also the runs that other runs have begun")


def period_of(asked: Namespace) -> Period:
    """The period that was asked for.

    Raises:
        Refused: when it is none.
    """
    try:
        return period(asked.since, asked.until, now=time.time())
    except ValueError as error:
        raise Refused(f"--{error}") from None


def choice_of(asked: Namespace) -> Choice:
    """The runs that were asked for.

    Raises:
        Refused: when the period is none.
    """
    return Choice(period_of(asked), asked.agent, asked.tenant, asked.sub_runs)
