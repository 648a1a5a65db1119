"""`choragus compact`: give the room of pruned runs back."""

from __future__ import annotations

import choragus.mailbox.compaction as compaction

from .exit import Exit
from .session import Session
from .text import size, visible


async def compact(session: Session) -> Exit:
    """Write the file anew, and say how large it was and is."""
    done = await compaction.compact(session.file)
    print(visible(f"{session.file}: {size(done.before)} before, {size(done.after)} now"))
    return Exit.OK
