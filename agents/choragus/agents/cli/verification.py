"""`choragus verify`: whether the file is what was written."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from anyio import to_thread

from choragus.mailbox.errors import HeadsRefused
from choragus.mailbox.heads import Heads, heads_from, key_in
from choragus.mailbox.turn import Tombstone, Verification
from choragus.mailbox.verification import verify_file

from .command import Commands, command
from .exit import Exit, Refused
from .session import Session
from .text import as_json, counted, moment, visible


def declare(commands: Commands) -> None:
    """`verify`."""
    one = command(
        commands,
        "verify",
        verify,
        "Check every digest, every hash chain and the database itself. Prints one problem to a line and\n"
        "exits with 1 when there are any. A service may go on with the file meanwhile.",
        "choragus verify runs.db --heads heads.json --key audit.key",
    )
    heads = "also compare with what `choragus heads` has printed into this file; may be repeated"
    one.add_argument("--heads", metavar="HEADS", action="append", default=[], help=heads)
    one.add_argument("--key", metavar="KEYFILE", help="the key that signed them")
    one.add_argument("--json", action="store_true", help="what was found, as one JSON object")
    one.add_argument("--pruned", action="store_true", help="also list what was pruned, and when")


async def verify(session: Session) -> Exit:
    """Print each problem on a line of its own, or that there is none."""
    asked = session.asked
    key = None if asked.key is None else key_in(asked.key)
    if key is not None and not asked.heads:
        raise Refused("--key checks what --heads names: give both")
    heads = [_read(path, key) for path in asked.heads]
    found = await to_thread.run_sync(verify_file, Path(session.file), heads)
    if asked.json:
        print(as_json(_as_json(found)))
        return Exit.PROBLEMS if found.problems else Exit.OK
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
    for one in heads:
        print(f"it goes on from the heads of {moment(one.made)}: {one.entries} entries, batch {one.batch}")
    for stone in found.tombstones if session.asked.pruned else ():
        print(visible(f"pruned {moment(stone.at)}: entries 1 to {stone.position} of {stone.stream}"))
    return Exit.OK


def _read(path: str, key: bytes | None) -> Heads:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise HeadsRefused(f"the heads {path} cannot be read: {error}") from error
    try:
        return heads_from(text, key)
    except HeadsRefused as error:
        raise HeadsRefused(f"{path}: {error}") from error


def _as_json(found: Verification) -> dict[str, object]:
    stones = [{"stream": one.stream, "position": one.position, "at": one.at} for one in found.tombstones]
    counts = {"records": found.records, "entries": found.entries, "streams": found.streams, "batches": found.batches}
    return {"whole": not found.problems, "problems": list(found.problems), **counts, "pruned": stones}


def _gone(stones: Sequence[Tombstone]) -> str:
    if not stones:
        return ""
    gone = counted(sum(stone.count for stone in stones), "entry", "entries")
    return f"; pruned before: {gone} of {counted(len(stones), 'stream')}"
