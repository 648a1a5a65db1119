"""`choragus verify`: whether the file is what was written."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from choragus.mailbox.turn import Tombstone

from .command import Commands, command
from .exit import Exit
from .session import Session
from .text import counted, moment, visible


def declare(commands: Commands) -> None:
    """`verify`."""
    one = command(
        commands,
        "verify",
        verify,
        "Check every digest, every hash chain and the database itself. Prints one problem to a line and\n"
        "exits with 1 when there are any.",
        "choragus verify runs.db",
    )
    one.add_argument("--pruned", action="store_true", help="also list what was pruned, and when")


async def verify(session: Session) -> Exit:
    """Print each problem on a line of its own, or that there is none."""
    found = await session.store.verify()
    for problem in found.problems:
        print(visible(problem))
    if found.problems:
        sys.stdout.flush()
        said = f"{session.file} has {counted(len(found.problems), 'problem')}: restore it from a backup"
        print(visible(said), file=sys.stderr)
        return Exit.PROBLEMS
    records, entries = counted(found.records, "record"), f"{found.entries} entries"
    whole = f"{session.file} is whole: {records}, {entries} in {counted(found.streams, 'hash chain')}"
    print(visible(f"{whole}{_gone(found.tombstones)}{f'; forks: {found.forks}' if found.forks else ''}"))
    for stone in found.tombstones if session.asked.pruned else ():
        print(visible(f"pruned {moment(stone.at)}: entries 1 to {stone.position} of {stone.stream}"))
    return Exit.OK


def _gone(stones: Sequence[Tombstone]) -> str:
    if not stones:
        return ""
    gone = counted(sum(stone.count for stone in stones), "entry", "entries")
    return f"; pruned before: {gone} of {counted(len(stones), 'stream')}"
