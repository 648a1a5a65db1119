"""What one would write instead of choragus: a deque, an Event, and a task per actor that is parked on it.

`Mailbox` is what the promises are measured against: it builds its behaviour anew when a handler raises. `LeanMailbox`
is the least that keeps one message at a time, to show what that costs. Neither has a bound, a timeout, a supervisor or
an order to shut down in.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import ClassVar, TypeAlias, TypeVar, cast

from benchmarks.workload import Add, Crash, Crashed, Get, Hop, Meet, Passing, Work

from choragus.actors.message import Question

R = TypeVar("R")
Reply: TypeAlias = asyncio.Future[object] | None


class Behaviour:
    """The state and the handlers of one worker."""

    __slots__ = ("count", "done", "peer")

    handlers: ClassVar[Mapping[type, Callable[..., Awaitable[object]]]]

    def __init__(self) -> None:
        self.count = 0
        self.peer: Passing | None = None
        self.done: asyncio.Event | None = None

    async def add(self, message: Add, reply: Reply) -> None:
        self.count += message.value

    async def get(self, message: Get, reply: Reply) -> int:
        return self.count

    async def work(self, message: Work, reply: Reply) -> int:
        return message.value + 1

    async def hop(self, message: Hop, reply: Reply) -> None:
        if message.left:
            self.peer.tell(Hop(message.left - 1))  # type: ignore[union-attr]  # it has met somebody
        else:
            self.done.set()  # type: ignore[union-attr]  # as above

    async def meet(self, message: Meet, reply: Reply) -> None:
        self.peer, self.done = message.peer, message.done

    async def crash(self, message: Crash, reply: Reply) -> None:
        raise Crashed


Behaviour.handlers = {
    Add: Behaviour.add,
    Get: Behaviour.get,
    Work: Behaviour.work,
    Hop: Behaviour.hop,
    Meet: Behaviour.meet,
    Crash: Behaviour.crash,
}


class Mailbox:
    """One actor. It takes what waits in one go and parks when nothing is left; a failure gives it a fresh behaviour."""

    __slots__ = ("_behaviour", "_box", "_wake", "task")

    def __init__(self) -> None:
        self._behaviour = Behaviour()
        self._box: deque[tuple[object, Reply]] = deque()
        self._wake = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run())

    def tell(self, message: object, /) -> None:
        """Put a message."""
        self._put((message, None))

    def ask(self, message: Question[object, R], /) -> Awaitable[R]:
        """Put a message; the future is its handler's result."""
        reply: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._put((message, reply))
        return cast("Awaitable[R]", reply)

    def _put(self, item: tuple[object, Reply]) -> None:
        self._box.append(item)
        self._wake.set()

    async def _run(self) -> None:
        box, handle = self._box, self._handle
        while True:
            while box:
                await handle(box.popleft())
            self._wake.clear()
            await self._wake.wait()

    async def _handle(self, item: tuple[object, Reply]) -> None:
        message, reply = item
        try:
            result = await self._behaviour.handlers[type(message)](self._behaviour, message, reply)
        except Exception as error:
            self._behaviour = Behaviour()
            if reply is not None:
                reply.set_exception(error)
        else:
            if reply is not None and not reply.done():
                reply.set_result(result)


class LeanMailbox(Mailbox):
    """The leanest loop: handlers are called in it, without a coroutine around each, and a failure ends the actor."""

    __slots__ = ()

    def tell(self, message: object, /) -> None:
        self._box.append((message, None))
        self._wake.set()

    async def _run(self) -> None:
        box, wake, behaviour, handlers = self._box, self._wake, self._behaviour, self._behaviour.handlers
        while True:
            while box:
                message, reply = box.popleft()
                try:
                    result = await handlers[type(message)](behaviour, message, reply)
                except Exception as error:
                    if reply is None:
                        raise
                    reply.set_exception(error)
                else:
                    if reply is not None and not reply.done():
                        reply.set_result(result)
            wake.clear()
            await wake.wait()


@asynccontextmanager
async def handwritten(amount: int, kind: type[Mailbox] = Mailbox) -> AsyncIterator[Sequence[Mailbox]]:
    """So many mailboxes; leaving cancels their tasks and waits until each has ended."""
    mailboxes = [kind() for _ in range(amount)]
    try:
        yield mailboxes
    finally:
        for mailbox in mailboxes:
            mailbox.task.cancel()
        for mailbox in mailboxes:
            if not mailbox.task.done():
                await asyncio.wait([mailbox.task])


def leanest(amount: int) -> AbstractAsyncContextManager[Sequence[Mailbox]]:
    """As `handwritten`, of the leanest loop."""
    return handwritten(amount, LeanMailbox)
