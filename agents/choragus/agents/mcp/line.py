"""The line to one server: the connection while there is one, and the actor that keeps it and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import attrs

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.agents.errors import ToolError, WrongResult
from choragus.agents.patience import told
from choragus.agents.toolbelt.context import ToolContext
from choragus.agents.toolbelt.process import Died

from .declaration import McpServer
from .offer import Offer
from .result import value_of
from .session import LONGEST_ERROR, Checked, Lost, Sdk, Session
from .standing import Standing
from .stdio import ServerEnded

IDEMPOTENCY_KEY = "choragus/idempotency-key"
"""Where a server finds the call's key: in the `_meta` of the request."""

STOPPING = 10.0
"""Seconds that a server has to stop when the runtime is closed."""

Keep = Callable[[McpServer, tuple[Offer, ...]], Awaitable[None]]


class Line:
    """What the tools of a server call through.

    Args:
        load: imports the SDK.
        secrets: the values of the secrets that the server needs, by name.
        keep: has what the server offers compared with what was accepted; returns when `standing` is that of now.
        scrub: takes secrets out of a text.
    """

    def __init__(
        self,
        server: McpServer,
        load: Callable[[], Awaitable[Sdk]],
        secrets: Callable[[], Mapping[str, str]],
        keep: Keep,
        scrub: Callable[[str], str],
    ) -> None:
        self.server = server
        self.standing = Standing(server=server.name)
        self.reason = ""
        self.may_begin = asyncio.Event()
        self._load = load
        self._secrets = secrets
        self._keep = keep
        self._scrub = scrub
        self._session: Session | None = None
        self._is_starting = False
        self._moved = asyncio.Event()

    @property
    def state(self) -> str:
        """ "running", "starting", or "down"."""
        return "running" if self._session is not None else "starting" if self._is_starting else "down"

    def why(self, error: Exception) -> str:
        """Why it could not be reached, in a line."""
        if isinstance(error, TimeoutError):
            return f"it did not start within {self.server.start_timeout:g} s"
        return self._clean(_told(error))

    async def look(self) -> tuple[Offer, ...]:
        """Connect once, and part again: what the server offers.

        Raises:
            ServerEnded: when it is not there in time.
        """
        sdk = await self._load()
        found: tuple[Offer, ...] = ()
        async with self._in_time() as deadline, sdk.connect(self.server, self._secrets()) as session:
            found = await session.offers()
            deadline.reschedule(None)
        return found

    def starts(self) -> None:
        """An attendant begins to connect."""
        self._is_starting = True
        self._move()

    async def live(self) -> None:
        """Connect, and hold the connection until it ends; then raise why."""
        try:
            sdk = await self._load()
            async with self._in_time() as deadline, sdk.connect(self.server, self._secrets()) as session:
                await self._listed(session)
                await self._serve(session, deadline)
        except Exception as error:
            self.reason = self.why(error)
            raise ServerEnded(f"server {self.server.name}: {self.reason}") from None
        finally:
            self._is_starting = False
            self._move()

    async def _serve(self, session: Session, deadline: asyncio.Timeout) -> None:
        """Let calls through until the connection ends; look again at what is offered when the server says so."""
        loop = asyncio.get_running_loop()
        self._session, self._is_starting, self.reason = session, False, ""
        self._move()
        try:
            while True:
                deadline.reschedule(None)
                await session.changed()
                deadline.reschedule(loop.time() + self.server.start_timeout)
                await self._listed(session)
        except Exception as error:
            self.reason = self.why(error)
            raise
        finally:  # before the connection is closed, which takes its time
            self._session, self.reason = None, self.reason or "its connection has ended"
            self._move()

    async def call(
        self, offer: Offer, output: Checked | None, arguments: Mapping[str, object], context: ToolContext[object]
    ) -> object:
        """The result of a call, as a value of plain JSON types.

        Raises:
            ToolError: it was not made, or the server says that it failed.
            WrongResult: it has run, and its result is not what the server had promised.
            Died: the connection ended while it ran.
        """
        session = await self._ready()
        if refusal := self.standing.refusal(offer.name):
            raise ToolError(refusal)
        meta = {IDEMPOTENCY_KEY: context.idempotency_key}
        if context.traceparent:
            meta["traceparent"] = context.traceparent
        try:
            result = await session.call(offer.name, arguments, meta)
            value = value_of(result)
        except Lost as lost:
            why = self._clean(str(lost))
            raise Died(f"server {self.server.name} ended while {offer.name} ran: {why}") from None
        except ToolError as refused:
            raise ToolError(self._clean(str(refused)), refused.retryable) from None
        if output is not None:
            structured = "structuredContent" in result
            fault = output.fault(result["structuredContent"]) if structured else "it has no structured content"
            if fault:
                raise WrongResult(offer.name, fault)
        return value

    def _clean(self, said: str) -> str:
        """The beginning of it, without secrets: cut behind that, for half a secret is not known as one."""
        return self._scrub(said)[:LONGEST_ERROR]

    async def _ready(self) -> Session:
        """The session, once it is there, at most half the time of a call: what was never sent is not unknown."""
        most = min(self.server.start_timeout, self.server.timeout / 2)
        loop = asyncio.get_running_loop()
        until = loop.time() + most
        while self._session is None:
            if not self._is_starting:
                raise ToolError(f"server {self.server.name} is not running: {self.reason}", retryable=True)
            waiting = asyncio.ensure_future(self._moved.wait())
            done, _ = await asyncio.wait({waiting}, timeout=max(0.0, until - loop.time()))
            waiting.cancel()
            if not done:
                raise ToolError(f"server {self.server.name} is still starting: call it again later", retryable=True)
        return self._session

    async def _listed(self, session: Session) -> None:
        """What it offers now is what calls are held against."""
        offers = await session.offers()
        await self.may_begin.wait()
        await self._keep(self.server, offers)

    def _in_time(self) -> asyncio.Timeout:
        return asyncio.timeout(self.server.start_timeout)

    def _move(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


@attrs.frozen
class Gone:
    """The connection has ended."""

    error: Exception


class Attendant(Actor[Gone]):
    """Keeps the line to one server: its failure is the server's, and its supervisor has it come back."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._living: asyncio.Task[None] | None = None

    async def on_start(self) -> None:
        """Connect beside: nobody waits for a server to start."""
        self._line.starts()
        self._living = self.pipe_to_self(
            self._line.live(), message=lambda _: Gone(ServerEnded("it ended")), failed=lambda error: Gone(error)
        )

    @handle
    def gone(self, message: Gone) -> None:
        """Fail as the server did."""
        raise message.error

    async def on_stop(self) -> None:
        """Close the connection and end the process before the runtime is gone."""
        if self._living is not None:
            self._living.cancel()
            await asyncio.wait({self._living}, timeout=STOPPING - 1.0)


def _told(error: Exception) -> str:
    """An error in one line; of a group the first that is none."""
    one: BaseException = error
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return str(one) if isinstance(one, ServerEnded) else told(one)
