"""What one would write instead of choragus: a deque, an Event, and a task per actor that is parked on it.

No bound, no timeout, no supervisor, no restart, no shutdown order: the least that keeps one message at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping

Handlers = Mapping[type, Callable[..., Awaitable[object]]]


class Mailbox:
    """One actor. It takes what waits in one go and parks when nothing is left."""

    __slots__ = ("_box", "_handlers", "_wake", "task")

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._box: deque[tuple[object, asyncio.Future[object] | None]] = deque()
        self._wake = asyncio.Event()
        self.task = asyncio.get_running_loop().create_task(self._run())

    def tell(self, message: object) -> None:
        """Put a message."""
        self._box.append((message, None))
        self._wake.set()

    def ask(self, message: object) -> asyncio.Future[object]:
        """Put a message; the future is its handler's result."""
        reply: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._box.append((message, reply))
        self._wake.set()
        return reply

    async def _run(self) -> None:
        box, wake, handlers = self._box, self._wake, self._handlers
        while True:
            while box:
                message, reply = box.popleft()
                try:
                    result = await handlers[type(message)](message)
                except Exception as error:
                    if reply is None:
                        raise
                    reply.set_exception(error)
                else:
                    if reply is not None and not reply.done():
                        reply.set_result(result)
            wake.clear()
            await wake.wait()


async def stop(mailboxes: list[Mailbox]) -> None:
    """Cancel every task and wait until it has ended."""
    for mailbox in mailboxes:
        mailbox.task.cancel()
    await asyncio.gather(*(mailbox.task for mailbox in mailboxes), return_exceptions=True)
