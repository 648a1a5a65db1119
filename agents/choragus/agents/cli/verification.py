"""`choragus verify`: whether the file is what was written."""

from __future__ import annotations

import sys

from .exit import Exit
from .session import Session
from .text import counted, visible


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
    print(visible(f"{session.file} is whole: {records}, {entries} in {counted(found.streams, 'hash chain')}"))
    return Exit.OK
