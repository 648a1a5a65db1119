"""`choragus ledgers`: what is spent and set aside in the accounts that runs share."""

from __future__ import annotations

from choragus.agents.ledger import LedgerSummary, ledgers

from .command import Commands, command
from .exit import Exit
from .session import Session
from .text import money, page, table, visible

HEADER = ("LEDGER", "TIME", "SPENT", "SET ASIDE", "LIMIT", "TOKENS", "WAITING")
RIGHT = frozenset({"SPENT", "SET ASIDE", "LIMIT", "TOKENS", "WAITING"})


def declare(commands: Commands) -> None:
    """`ledgers`."""
    command(
        commands,
        "ledgers",
        show_ledgers,
        "One line for each ledger and day or month in UTC: what its runs have spent, what is set aside for\n"
        "calls that are under way, the limit, and how many claims wait for room.",
        "choragus ledgers runs.db",
    )


async def show_ledgers(session: Session) -> Exit:
    """Print one line for each ledger and day or month."""
    found = await ledgers(session.store)
    if not found:
        print(visible(f"no ledgers in {session.file}"))
        return Exit.OK
    for line in table(HEADER, map(_row, found), page(), RIGHT):
        print(line)
    return Exit.OK


def _row(one: LedgerSummary) -> tuple[str, ...]:
    limits = [] if one.limit_usd is None else [money(one.limit_usd)]
    limits += [] if one.limit_tokens is None else [f"{one.limit_tokens} tokens"]
    spent, aside = money(one.cost_usd), money(one.reserved_usd)
    return one.name, one.period, spent, aside, ", ".join(limits), str(one.tokens), str(one.waiting)
