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
    """`send` and `ask` wait for room, first come, first served; `tell`, which never waits, raises MailboxFull."""
    REJECT = "reject"
    """Whoever sends gets MailboxFull."""
    DROP_NEWEST = "drop newest"
    """The message itself is dropped, with a Dropped event."""
    DROP_OLDEST = "drop oldest"
    """The message that has waited longest is dropped, with a Dropped event, and this one is taken."""


def _number(given: float, of: str, least: int) -> float:
    """A whole number, or infinity; refused where it is given, for the other fields are worked out from it."""
    whole = isinstance(given, int | float) and not isinstance(given, bool) and (given == math.inf or given % 1 == 0)
    if not whole or given < least:
        raise ValueError(f"a mailbox with {of}={given!r}: it must be a whole number, {least} or more, or math.inf")
    return given


def _limit(given: float) -> float:
    return _number(given, "limit", 1)


def _deep(given: float) -> float:
    return _number(given, "deep", 1)


def _stash(given: float) -> float:
    return _number(given, "stash", 0)


def _half(mailbox: Mailbox) -> float:
    return max(100, mailbox.limit // 2) if mailbox.limit < math.inf else LIMIT


@attrs.frozen(kw_only=True)
class Mailbox:
    """The mailbox of a volatile actor: `Child(..., mailbox=Mailbox(limit=100, overflow=Overflow.DROP_OLDEST))`.

    The bound holds for messages that wait: not for the one in hand, for what the system itself puts there (timers,
    piped results, Terminated), nor for what is set aside by `Actor.stash`, which has its own.

    Args:
        limit: how many messages wait; `math.inf` for any number. 10,000 by default.
        overflow: what happens beyond that. By default `send` and `ask` wait.
        deep: how many waiting messages raise a DeepMailbox event, once until the mailbox has been empty. By
            default half of the limit (10,000 without one) and at least 100; `math.inf` for never.
        priority: from a message to its urgency: the greater is handled first, equals in the order of their arrival.
            Called once per message, by the sender, who gets what it raises. Timers, piped and translated messages have
            urgency 0. None: in the order of arrival.
        stash: how many messages `Actor.stash` sets aside. 1,000 by default.

    Raises:
        ValueError: when a number is out of range, or both `priority` and DROP_OLDEST are given: what is oldest among
            the least urgent would have to be searched for at every message.
    """

    limit: float = attrs.field(default=LIMIT, converter=_limit)
    overflow: Overflow = Overflow.WAIT
    deep: float = attrs.field(default=attrs.Factory(_half, takes_self=True), converter=_deep)
    priority: Callable[[Never], float] | None = None
    stash: float = attrs.field(default=STASH, converter=_stash)
    mark: float = attrs.field(init=False)

    @mark.default
    def _slow_from(self) -> float:
        """From how many waiting messages on a new one needs a closer look."""
        return 0 if self.priority is not None else min(self.limit, self.deep - 1)

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.overflow, Overflow):
            raise ValueError(f"a mailbox with overflow={self.overflow!r}: use one of {[str(one) for one in Overflow]}")
        if self.priority is not None and not callable(self.priority):
            raise ValueError(f"a mailbox with priority={self.priority!r}: give a function from a message to a number")
        if self.priority is not None and self.overflow is Overflow.DROP_OLDEST:
            raise ValueError("a mailbox with a priority cannot drop the oldest: use DROP_NEWEST, REJECT or WAIT")


DEFAULT = Mailbox()


def as_mailbox(given: int | Mailbox) -> Mailbox:
    """A mailbox from its limit, or as it is.

    Raises:
        ValueError: when the limit is no whole number, or less than 1.
    """
    return given if isinstance(given, Mailbox) else Mailbox(limit=given)
