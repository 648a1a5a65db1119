"""HTTP whose replies are bounded, whatever the server sends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx2

from .session import Ending


class Bounded(httpx2.AsyncBaseTransport):
    """HTTP whose replies are bounded; a stream of events is bounded by the event."""

    def __init__(self, most: int, ending: Ending) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._most = most
        self._ending = ending

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it on; a packed reply is refused, for nobody knows how large it is."""
        try:
            response = await self._inner.handle_async_request(request)
        except httpx2.TransportError as error:
            self._ending.reason = str(error) or type(error).__name__
            raise
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            await response.aclose()
            raise self._refused("its reply is packed, which was not asked for", request)
        if not response.headers.get("content-type", "").lower().startswith("text/event-stream"):
            stream = response.stream
            assert isinstance(stream, httpx2.AsyncByteStream)
            response.stream = _Counted(stream, self._most, lambda text: self._refused(text, request))
        return response

    def _refused(self, text: str, request: httpx2.Request) -> Exception:
        self._ending.reason = text
        return httpx2.ReadError(text, request=request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, most: int, refused: Callable[[str], Exception]) -> None:
        self._inner = inner
        self._left = most
        self._most = most
        self._refused = refused

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._inner:
            self._left -= len(piece)
            if self._left < 0:
                raise self._refused(f"its reply has more than {self._most:,} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()
