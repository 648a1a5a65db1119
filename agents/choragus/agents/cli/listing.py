"""`choragus runs`: every run of a file, one line each."""

from __future__ import annotations

from choragus.agents.inspection import RunSummary, runs

from .command import Commands, command
from .exit import Exit
from .refusing import refusal_hints, refusals, told_in_short
from .session import Session
from .text import MARGIN, WIDTH, block, counted, moment, money, page, short, table, visible

HEADER = ("RUN", "AGENT", "STATUS", "STEPS", "TOKENS", "COST", "STARTED", "GOAL")
NARROW = 10
"""Columns of an agent's name where there is little room."""

RIGHT = frozenset({"STEPS", "TOKENS", "COST"})


def declare(commands: Commands) -> None:
    """`runs`."""
    command(
        commands,
        "runs",
        show_runs,
        "One line for each run: its state, what it used, since when; and what it waits for.",
        "choragus runs runs.db",
    )


async def show_runs(session: Session) -> Exit:
    """Print the runs, and under each what it waits for."""
    found = await runs(session.store)
    if not found:
        print(visible(f"no runs in {session.file}"))
        return Exit.OK
    width = page()
    is_narrow = width < WIDTH
    header, *lines = table(
        HEADER[:-1] if is_narrow else HEADER, map(_narrow if is_narrow else _row, found), width, RIGHT
    )
    print(header)
    refused = await refusals(session.store)
    for summary, line in zip(found, lines, strict=True):
        print(line)
        if is_narrow:
            print(f"{MARGIN}{short(visible(summary.goal), width - len(MARGIN))}")
        below = () if summary.status.is_final else (*filter(None, [summary.paused]), *summary.waits)
        for said in block((*told_in_short(refused.get(summary.run)), *below), width):
            print(said)
    for hint in [*_hints(session, found), *refusal_hints(session, refused)]:
        print(hint)
    return Exit.OK


def _row(summary: RunSummary) -> tuple[str, ...]:
    return (
        summary.run,
        summary.agent,
        summary.status.value,
        str(summary.steps),
        str(summary.tokens),
        money(summary.cost_usd),
        moment(summary.started),
        summary.goal,
    )


def _narrow(summary: RunSummary) -> tuple[str, ...]:
    """Without the goal, which then has a line of its own."""
    run, agent, *others, _ = _row(summary)
    return (run, short(visible(agent), NARROW), *others)


def _hints(session: Session, found: list[RunSummary]) -> list[str]:
    waiting = [summary for summary in found if summary.waits and not summary.status.is_final]
    if not waiting:
        return []
    return ["", visible(f"{counted(len(waiting), 'run')} waiting for a person: {session.command('approvals')}")]
