"""`choragus tree`: a run with what came of it: sub-runs, forks, and the runs that go on with its conversation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import NamedTuple

from choragus.mailbox.phrase import spelled_out

from .command import RUN, Commands, add_json, reading
from .exit import Exit
from .glance import Glance
from .paint import state
from .record import RunRow, find_run, named_run
from .text import columns, counted, money, page, short, visible

DEEPEST = 50
"""Levels that are shown: a file that was tampered with could go in circles."""


def declare(commands: Commands) -> None:
    """`tree`."""
    one = reading(
        commands,
        "tree",
        tree,
        "A run, and below it its sub-runs, its forks, and the runs that go on with its conversation, each with\n"
        "its state and what it cost; and what they cost together. What a fork has from its parent was paid\n"
        "there.",
        "choragus tree runs.db 5f2c",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_json(one, "the same as JSON, one run to a line, with `how` it came and `under` which run")


class Branch(NamedTuple):
    """A run in the tree; `how` it came to be, `lines` before it."""

    one: RunRow
    how: str
    under: str
    lines: str


def tree(glance: Glance) -> Exit:
    """Print the tree line by line, and the sums."""
    root = named_run(glance, glance.asked.run)
    found: list[RunRow] = []
    for branch in _branches(glance, Branch(root, "", "", ""), set()):
        found.append(branch.one)
        print(_json(branch) if glance.asked.json else _line(branch))
        if len(found) == 1:
            sys.stdout.flush()
    if not glance.asked.json:
        steps, tokens = sum(one.steps for one in found), sum(one.tokens for one in found)
        used = f"{counted(steps, 'step')}, {counted(tokens, 'token')}, {money(sum(one.cost_usd for one in found))}"
        print(f"\n{counted(len(found), 'run')}: {used}")
    return Exit.OK


def _branches(glance: Glance, branch: Branch, seen: set[str]) -> Iterator[Branch]:
    """The run, and what is below it; each run once."""
    seen.add(branch.one.run)
    yield branch
    if len(branch.lines) // 3 >= DEEPEST:
        return
    below = [(run, how) for run, how in _below(glance, branch.one) if run not in seen]
    there = [(one, how) for run, how in below if (one := find_run(glance, run)) is not None]
    stem = branch.lines.replace("|- ", "|  ").replace("`- ", "   ")
    for number, (one, how) in enumerate(there, 1):
        if one.run not in seen:
            mark = "`- " if number == len(there) else "|- "
            yield from _branches(glance, Branch(one, how, branch.one.run, stem + mark), seen)


def _below(glance: Glance, one: RunRow) -> Iterator[tuple[str, str]]:
    """The ids of the runs that came of a run, with how."""
    stream = f"run/{one.run}"
    statement = (
        "SELECT body FROM entry WHERE stream = (SELECT number FROM head WHERE stream = ?) AND kind = 'child.started' "
        "ORDER BY position"
    )
    for (body,) in glance.reader.rows(statement, stream):
        yield str(json.loads(_bytes(stream, body)).get("run", "")), "sub-run"
    for run, of in _forks(glance):
        if of == one.run:
            yield run, "fork"
    if one.followed_by:
        yield one.followed_by, "goes on as"


def _forks(glance: Glance) -> list[tuple[str, str]]:
    """Every fork of the file with the run that it is of; the first entry of its logbook says so."""
    statement = (
        "SELECT head.stream, body FROM head JOIN entry ON entry.stream = head.number AND entry.position = 1 "
        "WHERE head.stream >= 'run/' AND head.stream < 'run0' AND entry.kind = 'stream.forked' ORDER BY entry.seq"
    )
    return [
        (str(stream)[4:], str(json.loads(_bytes(str(stream), body)).get("run", "")))
        for stream, body in glance.reader.rows(statement)
    ]


def _bytes(stream: str, body: object) -> bytes:
    return spelled_out(stream, body if isinstance(body, bytes) else b"{}")


def _line(branch: Branch) -> str:
    one = branch.one
    used = f"{counted(one.steps, 'step')}, {money(one.cost_usd)}"
    begin = f"{branch.lines}{branch.how}{' ' if branch.how else ''}{one.run}  {visible(one.agent)}  "
    middle = f"{one.status}  {used}  "
    room = max(16, page() - columns(begin) - columns(middle))
    return f"{begin}{state(one.status)}  {used}  {short(visible(one.goal), room)}".rstrip()


def _json(branch: Branch) -> str:
    return json.dumps({"how": branch.how or "root", "under": branch.under, **branch.one._asdict()})
