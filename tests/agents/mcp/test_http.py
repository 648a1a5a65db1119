"""Servers over streamable HTTP, on the loopback: bounded replies, secrets in headers, and what is not known."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from tests.agents.mcp.calculator import calculator, calls
from tests.agents.play import eventually

from choragus.agents.agent import Agent
from choragus.agents.mcp.declaration import FromVault, McpServer
from choragus.agents.runtime import Runtime

pytestmark = pytest.mark.slow

Scope = dict[str, object]
Send = Callable[[dict[str, object]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, object]]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


@asynccontextmanager
async def listening(app: object) -> AsyncIterator[str]:
    """The application on a port of the loopback."""
    uvicorn = pytest.importorskip("uvicorn")
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", ws="none"))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110  # it has no event for that
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.should_exit = True
        await serving


def clerk(url: str, **options: object) -> Agent:
    """An agent that adds by HTTP."""
    options = {"risks": {"*": "read"}, "timeout": 5.0, **options}
    return Agent("clerk", model=calls("calc__add", a=1, b=2), servers=[McpServer("calc", url=url, **options)])  # type: ignore[arg-type]  # as McpServer checks them


def spoiled(app: App, spoil: Callable[[Send], Awaitable[None]], seen: list[dict[bytes, bytes]]) -> App:
    """The application, which answers calls of tools otherwise."""

    async def spoiling(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive() if scope["type"] == "http" else {}
        body = message.get("body", b"")
        assert isinstance(body, bytes)

        async def first() -> dict[str, object]:
            nonlocal message
            given, message = message, {}
            return given or await receive()

        if scope["type"] == "http":
            seen.append(dict(scope["headers"]))  # type: ignore[call-overload]  # pairs of bytes
        if b"tools/call" in body:
            await spoil(send)
        else:
            await app(scope, first if scope["type"] == "http" else receive, send)

    return spoiling


async def test_a_server_is_called_by_http_with_its_secret() -> None:
    seen: list[dict[bytes, bytes]] = []
    app: App = calculator().streamable_http_app()  # type: ignore[assignment]  # an ASGI application

    async def watching(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            seen.append(dict(scope["headers"]))  # type: ignore[call-overload]  # pairs of bytes
        await app(scope, receive, send)

    async with listening(watching) as url:
        agent = clerk(url, headers={"Authorization": FromVault("key", form="Bearer {}")})
        async with Runtime(agents=[agent], secrets={"key": "s3cret-value"}) as runtime:
            run = await runtime.start(agent, "Go.")

            assert await run.result() == '{"result":3}'
    assert {headers.get(b"authorization") for headers in seen} == {b"Bearer s3cret-value"}


@pytest.mark.parametrize("packed", [False, True], ids=["large", "packed"])
async def test_s18_a_reply_by_http_is_bounded(packed: bool) -> None:
    async def spoil(send: Send) -> None:
        headers = [(b"content-type", b"application/json"), *([(b"content-encoding", b"gzip")] if packed else [])]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for _ in range(1 if packed else 100):
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    app: App = calculator().streamable_http_app()  # type: ignore[assignment]  # an ASGI application
    async with listening(spoiled(app, spoil, [])) as url:
        agent = clerk(url, max_message=200_000)
        async with Runtime(agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.")
            said = await run.result()

    why = "packed" if packed else "more than 200,000 bytes"
    assert said.startswith("server calc ended while add ran")
    assert why in said


async def test_an_error_of_a_proxy_leaves_an_irreversible_call_unknown() -> None:
    async def spoil(send: Send) -> None:
        await send({"type": "http.response.start", "status": 502, "headers": []})
        await send({"type": "http.response.body", "body": b"bad gateway"})

    app: App = calculator().streamable_http_app()  # type: ignore[assignment]  # an ASGI application
    async with listening(spoiled(app, spoil, [])) as url:
        agent = clerk(url, risks={})
        async with Runtime(agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.")
            await eventually(run, "approval.requested")
            (approval,) = await run.pending()
            await approval.approve(by="mia")
            await eventually(run, "call.unknown")

            assert [one.tool for one in await runtime.unknown()] == ["calc__add"]
