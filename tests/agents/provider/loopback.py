"""A provider of our own on loopback: it answers as it is told to, with every fault that the wire has."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from attrs import define, field, frozen


@frozen(kw_only=True)
class Answer:
    """One answer.

    Args:
        cut: how many bytes of the body are sent before the connection is closed; None: all.
        sized: whether the length is announced, so that the client sees a cut; else the end of the connection is the
            body's.
        hangs: whether nothing more comes behind what is sent.
    """

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(factory=dict)
    cut: int | None = None
    sized: bool = True
    hangs: bool = False


@frozen
class Asked:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]


Script = Callable[[Asked], Answer]


@define
class Loopback:
    """The provider: what it was asked, where it is, and how often nobody listened to its end."""

    answer: Script
    url: str = ""
    asked: list[Asked] = field(factory=list)
    connections: int = 0
    hung_up: int = 0
    _busy: set[asyncio.Task[None]] = field(factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._busy.add(task)
        # Whatever the client does with its end is its own affair.
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        writer.close()
        self._busy.discard(task)

    async def close(self) -> None:
        """End what still hangs."""
        for task in list(self._busy):
            task.cancel()
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        asked = await _read(reader)
        self.asked.append(asked)
        answer = self.answer(asked)
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        headers = {"content-type": "application/json", **answer.headers}
        headers |= {"content-length": str(len(answer.body))} if answer.sized else {"connection": "close"}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(f"HTTP/1.1 {answer.status} It is so\r\n{head}\r\n".encode() + body)
        try:
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            self.hung_up += 1
            raise
        if answer.hangs:
            await asyncio.sleep(3600)
        return answer.sized and answer.cut is None


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(head[0].split()[1], headers, json.loads(body or b"{}"))


def in_order(answers: Sequence[Answer]) -> Script:
    """One answer after the other; the last one for ever."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


@asynccontextmanager
async def loopback(*answers: Answer, script: Script | None = None) -> AsyncIterator[Loopback]:
    """A provider that gives these answers in order, or those of a function of the request."""
    provider = Loopback(script or in_order(answers))
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield provider
    finally:
        server.close()
        await provider.close()
        await server.wait_closed()
