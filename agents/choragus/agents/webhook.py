"""A hook that posts what needs a person to a URL, signed, so that the receiver knows who says it, and when."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import SplitResult, urlsplit

import attrs
import msgspec

from .attention import Attention
from .errors import AgentError

TIMESTAMP = "X-Choragus-Timestamp"
SIGNATURE = "X-Choragus-Signature"

HEAD = 16_384
"""Bytes that the head of an answer may have; its body is not read."""


class NotDelivered(AgentError):
    """Raised when the receiver did not answer with success; it is tried again."""


class Webhook:
    """Posts each `Attention` as JSON; any 2xx is an acknowledgement. Redirects are not followed: they are failures.

    The header `X-Choragus-Signature` is `sha256=` and the HMAC-SHA256, by the secret, over the text of the header
    `X-Choragus-Timestamp` (seconds since the epoch), a full stop, and the body. The receiver compares, refuses what is
    old, and takes the same `id` again as the same thing: `verify_signature` does the first two.

    Args:
        url: `http://` or `https://`; certificates are checked.
        secret: at least 16 characters, known to both.
        timeout: seconds for the whole exchange, at most 25.

    Raises:
        ValueError: when any of this does not hold.
    """

    def __init__(self, url: str, *, secret: str, timeout: float = 10.0, clock: Callable[[], float] = time.time) -> None:
        self._parts = _parts(url)
        if len(secret) < 16:
            raise ValueError(f"the secret has {len(secret)} characters: give at least 16, drawn by chance")
        if not 0 < timeout <= 25:
            raise ValueError(f"timeout={timeout!r} must be above 0 and at most 25 seconds")
        self._secret = secret.encode()
        self._timeout = timeout
        self._clock = clock

    def __repr__(self) -> str:
        return f"Webhook({self._parts.scheme}://{self._parts.hostname})"

    async def __call__(self, item: Attention) -> None:
        """Post it once.

        Raises:
            NotDelivered: when the answer was no success.
            OSError, TimeoutError: when there was none.
        """
        body = msgspec.json.encode(attrs.asdict(item))
        async with asyncio.timeout(self._timeout):
            status = await self._post(body)
        if not 200 <= status < 300:
            raise NotDelivered(f"{self!r} answered with {status}, which is no success")

    async def _post(self, body: bytes) -> int:
        url = self._parts
        secure = ssl.create_default_context() if url.scheme == "https" else None
        port = url.port or (443 if secure else 80)
        reader, writer = await asyncio.open_connection(url.hostname, port, ssl=secure, limit=HEAD)
        try:
            writer.write(self._head(body) + body)
            await writer.drain()
            return _status(await reader.readline())
        except ValueError as error:  # a line without an end
            raise NotDelivered(f"{self!r} does not speak HTTP: {error}") from None
        finally:
            writer.transport.abort()  # whatever else it sends is not read
            with suppress(OSError):
                await writer.wait_closed()

    def _head(self, body: bytes) -> bytes:
        url, at = self._parts, f"{self._clock():.0f}"
        target = (url.path or "/") + (f"?{url.query}" if url.query else "")
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {url.netloc.rpartition('@')[2]}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
            f"{TIMESTAMP}: {at}",
            f"{SIGNATURE}: {signature(self._secret, at, body)}",
            "Connection: close",
        ]
        return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """What the signature header says."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify_signature(
    secret: str, timestamp: str, given: str, body: bytes, *, now: float | None = None, within: float = 300.0
) -> bool:
    """Whether a posted body is by who knows the secret, and not older (or newer) than `within` seconds.

    >>> verify_signature("a long secret ...", "17", "sha256=0", b"{}", now=17.0)
    False
    """
    at = time.time() if now is None else now
    is_number = timestamp.isascii() and timestamp.isdecimal() and len(timestamp) < 16
    if not is_number or abs(at - int(timestamp)) > within:
        return False
    return hmac.compare_digest(signature(secret.encode(), timestamp, body).encode(), given.encode())


def _parts(url: str) -> SplitResult:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"url={url!r} is none: give http:// or https:// with a host")
    if not (url.isascii() and url.isprintable()) or " " in url or parts.username is not None:
        raise ValueError("the url holds a password, or what no URL may hold: percent-encode it, and sign by the secret")
    return parts


def _status(line: bytes) -> int:
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit() or len(words[1]) != 3:
        raise ValueError(f"{line[:60]!r}")
    return int(words[1])
