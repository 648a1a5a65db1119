"""Named points at which a test kit may step in. In production nobody does: one comparison per batch or effect."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

from choragus.mailbox.turn import Batch, Effect


class Crashed(BaseException):
    """Raised by a hook: the process dies here, as far as the store can tell.

    No Exception, so that no handler of failures takes it for one.
    """


Point = Literal["before commit", "after commit", "before effect"]

Hook = Callable[[Point, Batch | Effect], Awaitable[None]]
"""Called with the point and what is written or run there; may wait, and may raise."""

hook: Hook | None = None
"""Who steps in; None outside tests."""
