"""The official SDK: connections to servers over a process, by HTTP, and in memory. The only module that speaks with it.

A connection never trusts its server: messages are bounded in size and number, what cannot be read ends only the
connection, results are not checked on the event loop by the server's own expressions.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from importlib.metadata import PackageNotFoundError, version

import anyio
import httpx2
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import Client, MCPError
from mcp.client.session import ClientRequestContext, IncomingMessage
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.message import SessionMessage
from mcp_types import (
    CONNECTION_CLOSED,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    CallToolResult,
    ElicitRequestFormParams,
    ElicitRequestParams,
    ElicitResult,
    ErrorData,
    Implementation,
    Tool,
    ToolListChangedNotification,
    jsonrpc_message_adapter,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from choragus.agents.errors import ToolError, WrongResult

from .bounded import Bounded
from .declaration import FromVault, McpServer
from .offer import LARGEST_LISTING, MOST_TOOLS, Offer
from .schema import Schema as checked  # noqa: F401  # part of what `session.Sdk` promises
from .session import LONGEST_ERROR, Ending, Lost
from .stdio import ServerEnded, ServerProcess, environment, server_process

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]

CALM = 10.0
"""Seconds before a server is heard again that has said that its tools have changed."""

MOST_NONSENSE = 100
"""Lines in a row that are no messages."""

MOST_UNREAD = 1_000
"""Lines that we read while the server does not read one of ours."""


class Connection:
    """A connection that is ready for calls: what `session.Session` promises."""

    def __init__(self, client: Client, server: McpServer, news: asyncio.Event, ending: Ending) -> None:
        self._client = client
        self._server = server
        self._news = news
        self._ending = ending
        self._has_heard = False

    async def offers(self) -> tuple[Offer, ...]:
        """See `Session.offers`."""
        found: list[Tool] = []
        size = 0
        cursor: str | None = None
        try:
            while True:
                page = await self._client.list_tools(cursor=cursor)
                found += page.tools
                size += sum(len(one.model_dump_json()) for one in page.tools)
                if len(found) > MOST_TOOLS or size > LARGEST_LISTING:
                    raise ServerEnded(f"it offers more than {MOST_TOOLS} tools, or {LARGEST_LISTING:,} bytes of them")
                if not page.next_cursor or (not page.tools and cursor is not None):
                    return tuple(_offer(one) for one in found)
                cursor = page.next_cursor
        except (MCPError, ValidationError) as error:
            raise ServerEnded(f"it does not say what tools it has: {_short(error)}") from None

    async def changed(self) -> None:
        """See `Session.changed`."""
        if self._has_heard:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ending.came.wait(), CALM)
        news = asyncio.ensure_future(self._news.wait())
        ended = asyncio.ensure_future(self._ending.came.wait())
        try:
            await asyncio.wait({news, ended}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            news.cancel()
            ended.cancel()
        self._news.clear()
        self._has_heard = True
        if self._ending.came.is_set():
            raise ServerEnded(self._ending.reason)

    async def call(self, tool: str, arguments: Mapping[str, object], meta: Mapping[str, object]) -> dict[str, object]:
        """See `Session.call`."""
        try:
            result = await self._client.call_tool(tool, dict(arguments), meta=dict(meta))  # type: ignore[arg-type]  # a TypedDict that takes more
        except MCPError as error:
            raise self._told(error) from None
        except ValidationError as error:
            raise WrongResult(tool, f"the server answered what is no result: {_short(error)}") from None
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            raise Lost("its connection is closed") from None
        except RuntimeError as error:
            raise ToolError(_short(error)) from None
        plain: dict[str, object] = result.model_dump(by_alias=True, mode="json", exclude_unset=True)
        return plain

    def _told(self, error: MCPError) -> Exception:
        """What an error says of the call: that it was refused, or nothing."""
        is_certain = error.code in (METHOD_NOT_FOUND, INVALID_PARAMS)
        is_its_own = not self._server.url and error.code != CONNECTION_CLOSED
        if is_certain or is_its_own:  # over HTTP an error may be that of a proxy, while the server has done its work
            return ToolError(_short(error))
        return Lost((self._ending.reason if error.code == CONNECTION_CLOSED else "") or _short(error))


class Pipe(AbstractAsyncContextManager[Streams]):
    """The lines of a process as the messages that the SDK wants: one of its transports."""

    def __init__(self, process: ServerProcess, ending: Ending) -> None:
        self._process = process
        self._ending = ending
        self._unread = 0
        self._is_writing = False

    async def __aenter__(self) -> Streams:
        self._in, received = anyio.create_memory_object_stream[SessionMessage | Exception](0)
        sent, self._out = anyio.create_memory_object_stream[SessionMessage](0)
        self._streams = (self._in, received, sent, self._out)
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._contained(self._read())),
            loop.create_task(self._contained(self._write())),
        ]
        return received, sent

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.wait(self._tasks)
        for stream in self._streams:
            stream.close()

    async def _contained(self, work: object) -> None:
        try:
            await work  # type: ignore[misc]  # one of the two below
        except ServerEnded as ended:
            self._ending.reason = self._ending.reason or str(ended)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError, anyio.EndOfStream):
            self._ending.reason = self._ending.reason or "the connection was closed"
        finally:
            self._ending.came.set()
            self._in.close()

    async def _read(self) -> None:
        nonsense = 0
        async for line in self._process.lines():
            self._unread = self._unread + 1 if self._is_writing else 0
            if self._unread > MOST_UNREAD:
                raise ServerEnded("it writes and writes, and does not read")
            try:
                message = jsonrpc_message_adapter.validate_json(line, by_name=False)
            except (ValueError, RecursionError):
                nonsense += 1
                if nonsense > MOST_NONSENSE:
                    raise ServerEnded(f"it wrote {nonsense} lines that are no messages, one behind the other") from None
                continue
            nonsense = 0
            await self._in.send(SessionMessage(message))

    async def _write(self) -> None:
        async for message in self._out:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            self._is_writing = True
            await self._process.write(text.encode())
            self._is_writing = False


@asynccontextmanager
async def connect(server: McpServer, secrets: Mapping[str, str]) -> AsyncIterator[Connection]:
    """See `session.Sdk`."""
    news = asyncio.Event()

    async def heard(message: IncomingMessage) -> None:
        if isinstance(message, ToolListChangedNotification):
            news.set()

    async with AsyncExitStack() as stack:
        ending = Ending()
        target = await _target(server, secrets, stack, ending)
        client = Client(
            target,  # type: ignore[arg-type]  # what `server=` may be, the SDK says itself
            message_handler=heard,
            client_info=Implementation(name="choragus", version=_version()),
            elicitation_callback=_defaults if server.questions == "defaults" else None,
            cache=None,
        )
        try:
            await stack.enter_async_context(client)
        except Exception as error:
            raise ServerEnded(ending.reason or f"it does not answer as the protocol wants: {_short(error)}") from None
        client.session.validate_tool_result = _not_here  # type: ignore[method-assign]  # it runs the server's expressions on the loop
        listening = asyncio.get_running_loop().create_task(_listen(client, news))
        try:
            yield Connection(client, server, news, ending)
        finally:
            listening.cancel()
            await asyncio.wait({listening})


async def _target(server: McpServer, secrets: Mapping[str, str], stack: AsyncExitStack, ending: Ending) -> object:
    """What the SDK connects to; what it needs is closed with the stack."""
    if server.command:
        given = {**environment(os.environ), **_filled(server.env, secrets)}
        process = await stack.enter_async_context(server_process(server.command, given, server.cwd, server.max_message))
        return Pipe(process, ending)
    if server.url:
        client = httpx2.AsyncClient(
            transport=Bounded(server.max_message, ending),
            headers={**_filled(server.headers, secrets), "accept-encoding": "identity"},
            timeout=httpx2.Timeout(server.start_timeout, read=max(server.timeout, server.start_timeout) + 5.0),
            auth=server.auth,  # type: ignore[arg-type]  # what it may be, the SDK says itself
            trust_env=False,
        )
        await stack.enter_async_context(client)
        return streamable_http_client(server.url, http_client=client, max_sse_event_size=server.max_message)
    return server.server


async def _listen(client: Client, news: asyncio.Event) -> None:
    """Hear of changes from a server of the newer protocol; others tell by themselves."""
    tools = client.server_capabilities.tools
    if client.protocol_version not in MODERN_PROTOCOL_VERSIONS or tools is None or not tools.list_changed:
        return
    try:
        async with client.listen(tools_list_changed=True) as subscription:
            async for _ in subscription:
                news.set()
    except Exception:  # whatever it is, the connection itself tells when it ends
        return


async def _defaults(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult | ErrorData:
    """The defaults of a form; nobody is there to be shown an address."""
    form = params.requested_schema if isinstance(params, ElicitRequestFormParams) else {}
    properties = form.get("properties", {})
    given = {name: one["default"] for name, one in properties.items() if isinstance(one, dict) and "default" in one}
    if not form or set(form.get("required", ())) - set(given):
        return ElicitResult(action="decline")
    return ElicitResult(action="accept", content=given)


async def _not_here(name: str, result: CallToolResult) -> None:
    """Results are held against what was pinned, in bounded time."""


def _filled(given: Mapping[str, str | FromVault], secrets: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else value.filled(secrets[value.name]) for name, value in given.items()
    }


def _offer(tool: Tool) -> Offer:
    annotations = tool.annotations
    hints: dict[str, object] = {} if annotations is None else annotations.model_dump(by_alias=True, exclude_none=True)
    return Offer(
        name=tool.name,
        title=tool.title or "",
        description=tool.description or "",
        parameters=tool.input_schema,
        output=tool.output_schema,
        annotations=hints,
    )


def _short(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(_lines(error))[:LONGEST_ERROR]
    one: BaseException = error
    while isinstance(one, BaseExceptionGroup):
        one = one.exceptions[0]
    return str(one) or type(one).__name__  # the Line cuts it, once no secret is in it


def _lines(error: ValidationError) -> Iterable[str]:
    for one in error.errors(include_url=False, include_input=False)[:3]:
        yield f"{'.'.join(map(str, one['loc']))}: {one['msg']}"


def _version() -> str:
    try:
        return version("choragus")
    except PackageNotFoundError:
        return "0"
