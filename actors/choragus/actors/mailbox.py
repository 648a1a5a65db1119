"""How a volatile mailbox is bounded, what happens when it is full, and in which order it is emptied."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import Enum
from typing import Never

import attrs

LIMIT = 10_000
"""How many messages wait in a volatile mailbox unless its spec says otherwise."""

STASH = 1_000
"""How many messages are set aside by `stash` unless the spec says otherwise."""


class Overflow(Enum):
    """What becomes of a message for which there is no room."""

    WAIT = "wait"
    """`send` and `ask` wait for room; `tell`, which never waits, raises MailboxFull."""
    REJECT = "reject"
    """Whoever sends gets MailboxFull."""
    DROP_NEWEST = "drop newest"
    """The message itself is dropped, with a Dropped event."""
    DROP_OLDEST = "drop oldest"
    """The message that has waited longest is dropped, with a Dropped event, and this one is taken."""


@attrs.frozen(kw_only=True)
class Mailbox:
    """The mailbox of a volatile actor: `Child(..., mailbox=Mailbox(limit=100, overflow=Overflow.DROP_OLDEST))`.

    Args:
        limit: how many messages wait; `math.inf` for any number. 10,000 by default.
        overflow: what happens beyond that.
        deep: how many waiting messages raise a DeepMailbox event, once until the mailbox has been empty. By
            default half of the limit (10,000 without one) and at least 100; `math.inf` for never.
        priority: from a message to its urgency: the greater is handled first, equals in the order of their arrival.
            Called once, by the sender. None: in the order of arrival.
        stash: how many messages `Actor.stash` sets aside. 1,000 by default.

    Raises:
        ValueError: when a number is out of range, or both `priority` and DROP_OLDEST are given: what is oldest among
            the least urgent would have to be searched for at every message.
    """

    limit: float = LIMIT
    overflow: Overflow = Overflow.WAIT
    deep: float = attrs.field()
    priority: Callable[[Never], float] | None = None
    stash: int = STASH
    mark: float = attrs.field(init=False)

    @deep.default
    def _half(self) -> float:
        return max(100, self.limit // 2) if self.limit < math.inf else LIMIT

    @mark.default
    def _slow_from(self) -> float:
        """From how many waiting messages on a new one needs a closer look."""
        return 0 if self.priority is not None else min(self.limit, self.deep)

    def __attrs_post_init__(self) -> None:
        if not self.limit >= 1 or not (self.limit == math.inf or self.limit == int(self.limit)):
            raise ValueError(f"a mailbox of limit={self.limit!r}: it must be 1 or more, or math.inf")
        if not self.deep >= 1:
            raise ValueError(f"a mailbox with deep={self.deep!r}: it must be 1 or more, or math.inf")
        if self.stash < 0:
            raise ValueError(f"a mailbox with stash={self.stash!r}: it must be 0 or more")
        if not isinstance(self.overflow, Overflow):
            raise ValueError(f"overflow={self.overflow!r} is none of {[one.name for one in Overflow]}")
        if self.priority is not None and self.overflow is Overflow.DROP_OLDEST:
            raise ValueError("a mailbox with a priority cannot drop the oldest: use DROP_NEWEST, REJECT or WAIT")


DEFAULT = Mailbox()


def as_mailbox(given: int | Mailbox) -> Mailbox:
    """A mailbox from its limit, or as it is.

    Raises:
        ValueError: when the limit is less than 1.
    """
    return given if isinstance(given, Mailbox) else DEFAULT if given == LIMIT else Mailbox(limit=given)
