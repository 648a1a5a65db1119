"""`choragus ledgers`: what is spent and set aside in the accounts that runs share."""

from __future__ import annotations

import json

from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .row import Fields, number_of, text_of, whole_of
from .text import money, page, table, visible

HEADER = ("LEDGER", "TIME", "SPENT", "SET ASIDE", "LIMIT", "TOKENS", "WAITING")
RIGHT = frozenset({"SPENT", "SET ASIDE", "LIMIT", "TOKENS", "WAITING"})


def declare(commands: Commands) -> None:
    """`ledgers`."""
    one = reading(
        commands,
        "ledgers",
        show_ledgers,
        "One line for each ledger and day or month in UTC: what its runs have spent, what is set aside for\n"
        "calls that are under way, the limit, and how many claims wait for room.",
        "choragus ledgers runs.db",
    )
    add_json(one, "the same as JSON, one ledger and time to a line")


def show_ledgers(glance: Glance) -> Exit:
    """Print one line for each ledger and day or month."""
    found = sorted(
        (row.data for row in glance.reader.views("ledger")), key=lambda one: (str(one["name"]), str(one["period"]))
    )
    if glance.asked.json:
        for one in found:
            print(json.dumps(one))
        return Exit.OK
    if not found:
        print(visible(f"no ledgers in {glance.file}"))
        return Exit.OK
    for line in table(HEADER, map(_row, found), page(), RIGHT):
        print(line)
    return Exit.OK


def _row(one: Fields) -> tuple[str, ...]:
    limits = [] if one.get("limit_usd") is None else [money(number_of(one, "limit_usd"))]
    limits += [] if one.get("limit_tokens") is None else [f"{whole_of(one, 'limit_tokens')} tokens"]
    spent, aside = money(number_of(one, "cost_usd")), money(number_of(one, "reserved_usd"))
    used = (str(whole_of(one, "tokens")), str(whole_of(one, "waiting")))
    return text_of(one, "name"), text_of(one, "period"), spent, aside, ", ".join(limits), *used
