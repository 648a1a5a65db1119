"""`choragus backup`: a copy of the file while it is in use."""

from __future__ import annotations

import choragus.mailbox.backup as copying

from .command import Commands, add_json, command
from .exit import Exit
from .session import Session
from .text import size


def declare(commands: Commands) -> None:
    """`backup`."""
    one = command(
        commands,
        "backup",
        back_up,
        "Copy the file as of one moment, also while a process owns it. The copy appears under its name when\n"
        "it is complete and on disk, and opens by itself; what exists is not overwritten.",
        "choragus backup runs.db runs-2026-11-22.db",
    )
    one.add_argument("target", metavar="TARGET", help="the copy's name; nothing of that name may exist")
    add_json(one, "what was copied, as JSON")


async def back_up(session: Session) -> Exit:
    """Copy the file, and say how much there is and up to where."""
    made = await copying.back_up(session.file, session.asked.target)
    told = f"{made.path}: {size(made.bytes)}, up to entry {made.position} of the logbook"
    session.result("copied", told, path=str(made.path), bytes=made.bytes, position=made.position)
    return Exit.OK
