"""What clients of ours do on the wire: no redirects, for a key would follow them, and no endless error pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TypedDict

import httpx2

ERROR_BYTES = 65_536
"""Of the body of an error; the SDKs read all of it into memory."""

CONNECTS = 10.0
"""Seconds to reach the provider, at most: a silence may be long, a way is not."""

TIMEOUTS = (httpx2.TimeoutException,)
TRANSPORT = (httpx2.TransportError, httpx2.DecodingError)


class ClientOptions(TypedDict):
    """How an HTTP client is made."""

    follow_redirects: bool
    event_hooks: Mapping[str, list[Callable[[httpx2.Response], Awaitable[None]]]]


def client_options() -> ClientOptions:
    """How an HTTP client of ours is made."""
    return {"follow_redirects": False, "event_hooks": {"response": [_shorten]}}


def patience(timeout: float) -> httpx2.Timeout:
    """The longest silence, and the longest way."""
    return httpx2.Timeout(timeout, connect=min(timeout, CONNECTS))


class _Short(httpx2.AsyncByteStream):
    """The beginning of a body."""

    def __init__(self, body: httpx2.AsyncByteStream) -> None:
        self._body = body

    async def __aiter__(self) -> AsyncIterator[bytes]:
        left = ERROR_BYTES
        async for chunk in self._body:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return

    async def aclose(self) -> None:
        """Close the body."""
        await self._body.aclose()


async def _shorten(response: httpx2.Response) -> None:
    if response.is_error and isinstance(response.stream, httpx2.AsyncByteStream):
        response.stream = _Short(response.stream)
