"""`choragus backup`: a copy of the file while it is in use."""

from __future__ import annotations

import choragus.mailbox.backup as copying

from .exit import Exit
from .session import Session
from .text import size, visible


async def back_up(session: Session) -> Exit:
    """Copy the file, and say how much there is and up to where."""
    made = await copying.back_up(session.file, session.asked.target)
    print(visible(f"{made.path}: {size(made.bytes)}, up to entry {made.position} of the logbook"))
    return Exit.OK
