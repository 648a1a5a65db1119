"""Messages that wait for room in a bounded mailbox."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TypeAlias

from .delivery import Delivery

Waiter: TypeAlias = "asyncio.Future[object]"
"""What becomes of the message: the reply of one that was asked, else a future of its own."""


class Room:
    """First come, first served. Whoever gives up, is late or is answered otherwise is passed over."""

    __slots__ = ("_line",)

    def __init__(self) -> None:
        self._line: OrderedDict[Waiter, Delivery] = OrderedDict()

    def __len__(self) -> int:
        return len(self._line)

    def join(self, waiter: Waiter, delivery: Delivery) -> None:
        """Stand in line, behind all others, until the waiter is done."""
        self._line[waiter] = delivery
        waiter.add_done_callback(self.leave)

    def leave(self, waiter: Waiter) -> None:
        """Stand in line no more; fine when one does not."""
        self._line.pop(waiter, None)

    def next(self) -> Delivery | None:
        """The message whose turn it is, if one still waits; a sender without a reply is told that it is in."""
        while self._line:
            waiter, delivery = self._line.popitem(last=False)
            if not waiter.done():
                if waiter is not delivery[1]:
                    waiter.set_result(None)
                return delivery
        return None

    def close(self, error: Exception) -> None:
        """There is nothing to wait for any more: everybody gets the error."""
        line, self._line = self._line, OrderedDict()
        for waiter in line:
            if not waiter.done():
                waiter.set_exception(error)
