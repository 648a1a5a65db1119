"""What waits in a mailbox beside messages."""

from __future__ import annotations


class Notice:
    """Becomes a message, a failure or nothing when its turn comes.

    It is opened by the actor's own cell, inside the actor's supervision: what `open` raises is the actor's failure, as
    if a handler had raised it.
    """

    __slots__ = ()

    is_urgent = False
    """Whether it goes before every message: the system lane."""

    is_mail = False
    """Whether somebody sent it: it then takes room, is dropped and refused as messages are. Others never are."""

    name = ""
    """What reports of failures call it."""

    @property
    def sent(self) -> object:
        """What was sent, as events show it."""
        return self

    def open(self) -> object | None:
        """The message to handle; None when there is nothing to do any more."""
        raise NotImplementedError
