"""A server's process: lines out, lines in, in bounded time and memory whatever it writes; it goes with its connection.

Nothing is believed: a line may be endless, may be no message, may never come, and the process may not read.
"""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

from choragus.actors.abandon import abandon

CHUNK = 65_536
INHERITED = ("PATH", "HOME", "TMPDIR", "TZ", "LANG", "LC_ALL", "LC_CTYPE", "SYSTEMROOT")
"""The variables of our own environment that a server has without being given them."""

SPEED = 500
"""Lines a second that are read; what floods us has to wait, and fills its own pipe."""

FLOOD = 20
"""Seconds in a row in which it does; then it is given up."""

TAIL = 2_000
"""Bytes of what it last wrote on its standard error, for people who look why it ended."""

CLOSING = 2.0
"""Seconds that a process has to end by itself once its input is closed, as the protocol wants; then it is asked, and
after as long again killed, with all that it has started."""


class ServerEnded(Exception):
    """Raised when a server's process has ended, or has been given up; the text says why."""


class ServerProcess:
    """A running server."""

    def __init__(self, process: Process, most: int) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._process = process
        self._stdin = process.stdin
        self._stdout = process.stdout
        self._most = most
        self.said = b""
        """The last of what it wrote on its standard error."""

    async def lines(self) -> AsyncIterator[bytes]:
        """The lines that it writes, without their ends.

        Raises:
            ServerEnded: it has closed its output, or a line is too long.
        """
        rest = bytearray()
        clock = asyncio.get_running_loop().time
        since, count, floods = clock(), 0, 0
        while chunk := await self._stdout.read(CHUNK):
            start = len(rest)
            rest += chunk
            while (end := rest.find(b"\n", start)) >= 0:
                line, start = bytes(rest[:end]), 0
                del rest[: end + 1]
                count += 1
                if count == SPEED:
                    too_soon = since + 1.0 - clock()
                    floods = floods + 1 if too_soon > 0 else 0
                    if floods == FLOOD:
                        raise ServerEnded(f"it wrote more than {SPEED} lines a second for {FLOOD} s")
                    await asyncio.sleep(max(0.0, too_soon))
                    since, count = clock(), 0
                self._check_length(len(line))
                yield line
            self._check_length(len(rest))
        raise ServerEnded(await self._why())

    async def write(self, line: bytes) -> None:
        """Write a line, and wait until the process has room for more.

        Raises:
            ServerEnded: it has closed its input.
        """
        try:
            self._stdin.write(line + b"\n")
            await self._stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise ServerEnded(await self._why()) from None

    async def hear(self) -> None:
        """Read what it writes on its standard error, and remember the last of it."""
        stderr = self._process.stderr
        assert stderr is not None
        while chunk := await stderr.read(CHUNK):
            self.said = (self.said + chunk)[-TAIL:]

    async def end(self) -> None:
        """Close its input, wait, ask it to end, wait, kill it and what it has started."""
        with suppress(OSError):
            self._stdin.close()
        for kill in (signal.SIGTERM, signal.SIGKILL):
            if await self._has_ended(CLOSING):
                break
            self._signal(kill)
        self._signal(signal.SIGKILL)  # what it has left behind
        await self._has_ended(CLOSING)

    async def _has_ended(self, seconds: float) -> bool:
        """Whether it is gone within the time; its pipes may be held by others."""
        waiting = asyncio.ensure_future(self._process.wait())
        reading = asyncio.ensure_future(self._drain())
        done, _ = await asyncio.wait({waiting}, timeout=seconds)
        for task in (waiting, reading):
            task.cancel()
        await asyncio.wait({waiting, reading})
        return bool(done)

    async def _drain(self) -> None:
        """Let it come to its end: one that writes into a full pipe does not."""
        with suppress(Exception):
            while await self._stdout.read(CHUNK):  # noqa: ASYNC110  # it waits for bytes, and not for an event
                await asyncio.sleep(0.001)  # one that floods us would keep us busy until it is killed

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _check_length(self, length: int) -> None:
        if length > self._most:
            raise ServerEnded(f"it wrote a line of more than {self._most:,} bytes: see McpServer(max_message=...)")

    async def _why(self) -> str:
        code = self._process.returncode
        if code is None:
            with suppress(TimeoutError):
                code = await asyncio.wait_for(asyncio.shield(self._process.wait()), 0.5)
        # What was cut off begins with a part of a word, perhaps of a secret, which nobody would know as one.
        said = self.said if len(self.said) < TAIL else b"".join(self.said.split(None, 1)[1:])
        last = said.decode("utf-8", "replace").strip()
        how = "it closed its output" if code is None else f"its process ended with exit code {code}"
        return f"{how}; it said: {last}" if last else how


@asynccontextmanager
async def server_process(
    command: Sequence[str], environment: Mapping[str, str], cwd: str | None, most: int
) -> AsyncIterator[ServerProcess]:
    """Start a server's process, and end it with all that it has started when the block is left, also when cancelled.

    Args:
        environment: all of the variables that it has.
        most: bytes of a line.

    Raises:
        ServerEnded: when it cannot be started.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=dict(environment), cwd=cwd, start_new_session=True
        )
    except (OSError, ValueError) as error:
        raise ServerEnded(f"{command[0]!r} cannot be started: {error}") from None
    server = ServerProcess(process, most)
    hearing = asyncio.get_running_loop().create_task(server.hear())
    try:
        yield server
    finally:
        ending = asyncio.get_running_loop().create_task(_end(server, hearing, process))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait({ending}, timeout=4 * CLOSING)
            abandon([ending])
            raise


async def _end(server: ServerProcess, hearing: asyncio.Task[None], process: Process) -> None:
    await server.end()
    hearing.cancel()
    await asyncio.wait({hearing})
    transport = getattr(process, "_transport", None)
    if transport is not None:  # somebody else may hold its pipes open
        transport.close()
    await asyncio.sleep(0)


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """Of our own variables those that every server has."""
    return {name: own[name] for name in INHERITED if name in own}
