"""`choragus top`: the runs that are under way, once or as they go on."""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module

from choragus.mailbox.reader import ViewRow, digest

from .command import Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .owner import owner_of, told
from .paint import HINT, has_extra, painted, state
from .record import RunRow, run_of
from .text import MARGIN, counted, duration, money, page, screen, short, table, visible

EVERY = 1.0
"""Seconds between two screens."""

AGENT = 16
HEADER = ("RUN", "AGENT", "STATUS", "STEP", "TOKENS", "COST", "SINCE")
RIGHT = frozenset({"STEP", "TOKENS", "COST", "SINCE"})


def declare(commands: Commands) -> None:
    """`top`."""
    one = reading(
        commands,
        "top",
        top,
        "Who owns the file, and the runs that are under way: state, step, cost, and what each waits for. On a\n"
        "terminal it is shown anew each second, with the extra `cli`; otherwise, and with --once, it is\n"
        "printed once. Ctrl-C ends it.",
        "choragus top runs.db\n  choragus top runs.db --once",
    )
    one.add_argument("--once", action="store_true", help="print one screen and end")
    add_json(one, "the runs as JSON, one to a line, once")


def top(glance: Glance) -> Exit:
    """Show what is under way."""
    asked = glance.asked
    if asked.json:
        for one in _under_way(glance):
            print(json.dumps(one._asdict()))
        return Exit.OK
    if asked.once or not sys.stdout.isatty() or not has_extra():
        print("\n".join(_lines(glance, _under_way(glance))))
        if sys.stdout.isatty() and not asked.once:
            print(f"a live view comes with the extra: {HINT}", file=sys.stderr)
        return Exit.OK
    _watch(glance)
    return Exit.OK


def _watch(glance: Glance) -> None:
    """Show it anew each second, until Ctrl-C."""
    found = _under_way(glance)
    with import_module(f"{__package__}.live").shown() as show:
        while True:
            show(_fitting(_lines(glance, found), screen()[1]))
            time.sleep(EVERY)
            if glance.reader.changed():
                found = _under_way(glance)


def _fitting(lines: list[str], height: int) -> list[str]:
    """As many as there is room for."""
    if len(lines) < height:
        return lines
    return [*lines[: height - 2], f"... and {counted(len(lines) - height + 2, 'line')} more: choragus runs FILE"]


def _under_way(glance: Glance) -> list[RunRow]:
    """The runs that have not ended, in the order of their starts. SQLite looks through all, so that few are decoded."""
    statement = (
        "SELECT kind, key, scope, sort, body, digest FROM view WHERE kind = 'run' AND scope = '' "
        """AND instr(body, CAST('"ended":0.0' AS BLOB)) ORDER BY sort, key"""
    )
    rows = (row for row in glance.reader.rows(statement) if row[-1] == digest(*row[:-1]))
    return [one for one in (run_of(ViewRow._make(row[:-1])) for row in rows) if not one.is_final]


def _lines(glance: Glance, found: list[RunRow]) -> list[str]:
    width = page()
    spent = money(sum(one.cost_usd for one in found))
    lines = [
        short(visible(f"owner: {told(owner_of(glance.reader))}"), width),
        f"{counted(len(found), 'run')} under way, {spent} so far"
        + "".join(f", {count} {name}" for name, count in _counts(found).items()),
    ]
    if not found:
        return lines
    header, *rows = table(HEADER, map(_row, found), width, RIGHT, {"STATUS": state})
    lines += ["", painted(header, "bold")]
    for one, row in zip(found, rows, strict=True):
        lines.append(row)
        for wait in filter(None, (one.paused, *one.waits)):
            lines.append(short(f"{MARGIN}{visible(wait)}", width))
    return lines


def _counts(found: list[RunRow]) -> dict[str, int]:
    names = [one.status for one in found]
    return {name: names.count(name) for name in ("running", "waiting", "paused") if name in names}


def _row(one: RunRow) -> tuple[str, ...]:
    since = duration(time.time() - one.started)
    step = f"{one.step} {one.phase}"
    return one.run, short(visible(one.agent), AGENT), one.status, step, str(one.tokens), money(one.cost_usd), since
