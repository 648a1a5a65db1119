"""`choragus compact`: give the room of pruned runs back."""

from __future__ import annotations

import choragus.mailbox.compaction as compaction

from .command import Commands, add_json, command
from .exit import Exit
from .session import Session
from .text import size


def declare(commands: Commands) -> None:
    """`compact`."""
    one = command(
        commands,
        "compact",
        compact,
        "Write the file anew without the room that pruning has left in it. Nobody may own the file, and\n"
        "the disk needs as much room again while it works.",
        "choragus compact runs.db",
    )
    add_json(one, "the sizes, as JSON")


async def compact(session: Session) -> Exit:
    """Write the file anew, and say how large it was and is."""
    done = await compaction.compact(session.file)
    told = f"{session.file}: {size(done.before)} before, {size(done.after)} now"
    session.result("compacted", told, before=done.before, after=done.after)
    return Exit.OK
