"""`choragus runs`: the runs of a file, one line each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice

from .age import WHEN, count_of, moment_of
from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .paint import painted, state
from .record import STATES, RunRow, run_of
from .refusing import Row, refusal_hints, refusals, told_in_short
from .text import MARGIN, WIDTH, block, counted, moment, money, page, short, table, visible

HEADER = ("RUN", "AGENT", "STATUS", "STEPS", "TOKENS", "COST", "STARTED", "GOAL")
NARROW = 10
"""Columns of an agent's name where there is little room."""

RIGHT = frozenset({"STEPS", "TOKENS", "COST"})
LIMIT = 50
"""How many are listed unless somebody says otherwise."""


def declare(commands: Commands) -> None:
    """`runs`."""
    one = reading(
        commands,
        "runs",
        show_runs,
        "One line for each run: its state, what it used, since when; and what it waits for. The newest of them,\n"
        "in the order of their starts.",
        "choragus runs runs.db --status waiting\n  choragus runs runs.db --agent clerk --since 7d --limit 0",
    )
    states = f"only those in this state; may be repeated: {', '.join(STATES)}"
    one.add_argument("--status", metavar="STATE", choices=STATES, action="append", help=states)
    one.add_argument("--agent", metavar="NAME", help="only those of this agent")
    one.add_argument("--key", metavar="KEY", help="only those that were started with this key")
    one.add_argument("--tenant", metavar="NAME", help="only those of this tenant")
    one.add_argument("--since", metavar="TIME", type=moment_of, help=f"only those that began then or later: {WHEN}")
    one.add_argument("--until", metavar="TIME", type=moment_of, help="only those that began before, as --since")
    one.add_argument(
        "--limit", metavar="N", type=count_of, default=LIMIT, help=f"how many, the newest; 0: all ({LIMIT} by default)"
    )
    add_json(one, "the same as JSON, one run to a line")


def show_runs(glance: Glance) -> Exit:
    """Print the newest runs that are asked for, and under each what it waits for."""
    asked = glance.asked
    fitting = _fitting(glance)
    found = [*islice(fitting, asked.limit or None)]
    found.reverse()
    if asked.json:
        for one in found:
            print(json.dumps(one._asdict()))
        return Exit.OK
    if not found:
        print(visible(f"no {'such ' if _is_narrowed(glance) else ''}runs in {glance.file}"))
        return Exit.OK
    refused = refusals(glance.reader)
    _print(found, refused)
    is_more = asked.limit > 0 and len(found) == asked.limit and next(fitting, None) is not None
    for hint in [*_hints(glance, found, is_more), *refusal_hints(glance, refused)]:
        print(hint)
    return Exit.OK


def _fitting(glance: Glance) -> Iterator[RunRow]:
    """The runs that are asked for, the newest first."""
    asked = glance.asked
    for row in glance.reader.views("run", "", newest=True):
        if asked.since is not None and row.sort < asked.since:
            return
        if asked.until is not None and row.sort >= asked.until:
            continue
        one = run_of(row)
        if all(
            wanted is None or getattr(one, name) == wanted
            for name, wanted in (("agent", asked.agent), ("key", asked.key), ("tenant", asked.tenant))
        ) and (not asked.status or one.status in asked.status):
            yield one


def _is_narrowed(glance: Glance) -> bool:
    return any(getattr(glance.asked, name) for name in ("status", "agent", "key", "tenant", "since", "until"))


def _print(found: list[RunRow], refused: Mapping[str, Row]) -> None:
    width = page()
    is_narrow = width < WIDTH
    header, *lines = table(
        HEADER[:-1] if is_narrow else HEADER,
        map(_narrow if is_narrow else _row, found),
        width,
        RIGHT,
        {"STATUS": state},
    )
    print(painted(header, "bold"))
    for one, line in zip(found, lines, strict=True):
        print(line)
        if is_narrow:
            print(f"{MARGIN}{short(visible(one.goal), width - len(MARGIN))}")
        below = () if one.is_final else (*filter(None, [one.paused]), *one.waits)
        for said in block((*told_in_short(refused.get(one.run)), *below), width):
            print(said)


def _row(one: RunRow) -> tuple[str, ...]:
    used = (str(one.steps), str(one.tokens), money(one.cost_usd))
    return (one.run, one.agent, one.status, *used, moment(one.started), one.goal)


def _narrow(one: RunRow) -> tuple[str, ...]:
    """Without the goal, which then has a line of its own."""
    run, agent, *others, _ = _row(one)
    return (run, short(visible(agent), NARROW), *others)


def _hints(glance: Glance, found: list[RunRow], is_more: bool) -> list[str]:
    lines: list[str] = []
    if is_more and not _is_narrowed(glance):
        count = glance.reader.count("run")
        lines.append(
            f"the newest {len(found)} of {counted(count, 'run')}; all of them: {glance.command('runs', '--limit', '0')}"
        )
    elif is_more:
        lines.append(f"the newest {len(found)} of them; all: --limit 0")
    if waiting := [one for one in found if one.waits and not one.is_final]:
        lines.append(f"{counted(len(waiting), 'run')} waiting for a person: {glance.command('approvals')}")
    return ["", *map(visible, lines)] if lines else []
