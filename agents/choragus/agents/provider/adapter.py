"""What the models of all providers share: one call, watched from the request to the last byte of the answer."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager, suppress

import anyio
from attrs import evolve, frozen

from choragus.agents.errors import ModelError
from choragus.agents.model import TOKENS_PER_IMAGE, ModelReply, ModelRequest, Streamed, TextDelta, Usage

from . import fault
from .connection import Answer, Connection, Sdk
from .event_stream import EventStream
from .tariff import Tariff, Tariffs
from .wire import Body, Format, Reader, as_text, incomplete, malformed, parse, shown

TIMEOUT = 600.0
"""Seconds without a byte, after which a call is given up; as the SDKs have it."""

MAX_OUTPUT_TOKENS = 16_384
MAX_REPLY_BYTES = 16_000_000

BYTES_PER_TOKEN = 2
"""Of a request, for its bound: prose has four or five, dense JSON and most scripts two or more."""

SHOWN_KEY = 8
"""Characters of a key's beginning that say nothing of the rest, as `sk-proj-`."""

DRAIN = 0.25
"""Seconds for what stands behind the last event, so that the connection can be used again."""


@frozen(kw_only=True)
class Bounds:
    """The most that a reply may hold."""

    max_output_tokens: int = MAX_OUTPUT_TOKENS
    max_reply_bytes: int = MAX_REPLY_BYTES

    def __attrs_post_init__(self) -> None:
        for name, value in (("max_output_tokens", self.max_output_tokens), ("max_reply_bytes", self.max_reply_bytes)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r} is no whole number from 1 up")


class Adapter:
    """A model behind a provider's SDK. See `OpenAIModel` and `AnthropicModel`.

    Args:
        interface: which of the SDK's interfaces is called.
        secret: what no error may show.
    """

    def __init__(
        self,
        name: str,
        *,
        provider: str,
        interface: str,
        format: Format,
        connection: Connection,
        settings: Mapping[str, object],
        tariffs: Tariffs,
        bounds: Bounds,
        secret: str,
    ) -> None:
        self.name = name
        self.provider = provider
        self._interface = interface
        self._format = format
        self._connection = connection
        self._settings = settings
        self._tariffs = tariffs
        self._bounds = bounds
        self._secret = secret

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"

    def settings(self) -> dict[str, object]:
        """What shapes its answers; neither the key nor the price."""
        return {name: value for name, value in self._settings.items() if value is not None}

    @property
    def has_price(self) -> bool:
        """Whether anybody knows what a call costs. Without it no run with a ceiling on money begins."""
        return self._tariff is not None

    @property
    def price_source(self) -> str:
        """Where the price is from: "given", the name and version of the price table, or nothing."""
        return "" if self._tariff is None else self._tariff.source

    async def prepare(self) -> None:
        """Look up the price off the event loop, for `has_price` and `estimate`."""
        await self._tariffs.ready()

    async def release(self) -> None:
        """Close the client once no call is under way, unless it is the user's. A later call makes another."""
        await self._connection.release()

    def estimate(self, request: ModelRequest) -> Usage:
        """One token for each two bytes of the request, 1,600 for a picture, and the longest reply, at the price.

        Its cost is 0 while no price is known.
        """
        pictures = sum(len(message.images) for message in request.messages)
        if pictures:
            request = evolve(request, messages=tuple(evolve(message, images=()) for message in request.messages))
        said = math.ceil(len(as_text(self._format.body(request)).encode()) / BYTES_PER_TOKEN)
        tokens, longest = said + pictures * TOKENS_PER_IMAGE, self._bounds.max_output_tokens
        usage = Usage(input_tokens=tokens, output_tokens=longest)
        if self._tariff is None:
            return usage
        written = evolve(usage, cache_write_tokens=tokens)
        return evolve(usage, cost_usd=max(self._tariff.cost(usage), self._tariff.cost(written)))

    async def complete(self, request: ModelRequest) -> ModelReply:
        """See `Model.complete`."""
        received = bytearray()
        async with self._opened(self._format.body(request), stream=False) as answer:
            async with aclosing(self._bounded(answer)) as chunks:
                async for chunk in chunks:
                    received += chunk
            return self._priced(self._format.read(parse(bytes(received), "the body")))

    async def stream(self, request: ModelRequest) -> AsyncIterator[Streamed]:
        """See `StreamingModel.stream`."""
        reader, events = self._format.reader(), EventStream()
        said, head, heard = list[str](), b"", False
        async with self._opened(self._format.body(request, stream=True), stream=True) as answer:
            _check_stream(answer)
            async with aclosing(self._bounded(answer)) as chunks:
                async for chunk in chunks:
                    head = head or chunk
                    for piece in _pieces(reader, events, chunk):
                        heard = True
                        if piece:
                            said.append(piece)
                            yield TextDelta(piece)
                    if reader.is_over:
                        await _drained(chunks)
                        break
            if not heard and head.lstrip()[:1] in (b"<", b"{"):
                raise malformed(f"instead of a stream came {shown(head)}")
            reply = self._priced(self._format.read(reader.body()))
            rest = reply.text.removeprefix("".join(said))
            if not reply.text.startswith("".join(said)):
                raise malformed("the pieces of its text are not the text")
        if rest:
            yield TextDelta(rest)
        yield reply

    @property
    def _tariff(self) -> Tariff | None:
        return self._tariffs.now()

    @asynccontextmanager
    async def _opened(self, body: Body, *, stream: bool) -> AsyncIterator[Answer]:
        """The answer to a request; whatever fails until it is read is a ModelError without the key."""
        sdk = await self._connection.ready()
        await self._tariffs.ready()
        began = False
        try:
            async with self._connection.lease() as client, sdk.open(self._interface, client, body, stream) as answer:
                began = True
                yield answer
        except ModelError as error:
            raise self._scrubbed(error) from None
        except Exception as error:
            explained = self._explained(sdk, error, began)
            if explained is None:
                raise  # a bug, of ours or of whoever reads the stream
            raise self._scrubbed(explained) from None

    async def _bounded(self, answer: Answer) -> AsyncGenerator[bytes, None]:
        """The body as it comes, up to the most bytes that it may have."""
        size, most = 0, self._bounds.max_reply_bytes
        async for chunk in answer.iter_bytes():
            size += len(chunk)
            if size > most:
                raise ModelError(
                    f"the answer of {self.name} has more than max_reply_bytes={most:,} bytes; it was given up: raise "
                    "that, or ask for less",
                    kind="malformed",
                )
            yield chunk

    def _explained(self, sdk: Sdk, error: Exception, began: bool) -> ModelError | None:
        errors, who = sdk.ERRORS, f"{self.provider} ({self.name})"
        if isinstance(error, errors.status):
            status, body = getattr(error, "status_code", 500), getattr(error, "body", None)
            if status < 400 and not began:
                body = body or "a redirect, which is not followed"
            return fault.of_status(who, status, sdk.headers_of(error), body, time.time())
        if isinstance(error, errors.timeout) or _is_of_http(error, "Timeout"):
            return ModelError(f"{who} took too long: {_told(error)}", retryable=True, kind="timeout")
        if isinstance(error, errors.transport) or _is_of_http(error, ""):
            if began:
                return incomplete(f"the connection was lost ({_told(error)})")
            return ModelError(f"{who} cannot be reached: {_told(error)}", retryable=True, kind="connection")
        if isinstance(error, errors.base):
            return ModelError(f"the client of {who} failed: {_told(error)}")
        return None

    def _priced(self, reply: ModelReply) -> ModelReply:
        if reply.usage is None or self._tariff is None:
            return reply
        return evolve(reply, usage=evolve(reply.usage, cost_usd=self._tariff.cost(reply.usage)))

    def _scrubbed(self, error: ModelError) -> ModelError:
        reason = without_key(error.reason, self._secret)
        return error if reason == error.reason else ModelError(reason, error.retryable, error.kind, error.retry_after)


def without_key(text: str, key: str) -> str:
    """The text without the key, and without what is left of it where a long text was cut off.

    >>> without_key("no such key: sk-abcdefghij; again: sk-abcdef", "sk-abcdefghij")
    'no such key: ***; again: ***'
    """
    if not key:
        return text
    for length in range(len(key), min(SHOWN_KEY, len(key) - 1), -1):
        text = text.replace(key[:length], "***")
    return text


def _pieces(reader: Reader, events: EventStream, chunk: bytes) -> list[str]:
    """The pieces of text in these bytes, an empty one for an event without any."""
    found: list[str] = []
    try:
        taken = events.take(chunk)
    except UnicodeDecodeError as error:
        raise malformed(f"an event of the stream is no UTF-8 ({error.reason})") from None
    for event in taken:
        if reader.is_over:
            break
        found.append(reader.take(event))
    return found


def _check_stream(answer: Answer) -> None:
    kind = answer.headers.get("content-type", "")
    if "vnd.amazon.eventstream" in kind:
        raise ModelError(
            f"the provider streams as {kind}, which is not read here: call it without streaming", kind="request"
        )


async def _drained(chunks: AsyncIterator[bytes]) -> None:
    # The reply is whole: whatever happens to the connection now is no fault of it.
    with suppress(Exception), anyio.move_on_after(DRAIN):
        async for _ in chunks:
            pass


def _is_of_http(error: Exception, word: str) -> bool:
    """Whether an HTTP client below a user's client raised it: there are several of them."""
    package = type(error).__module__.partition(".")[0]
    return package in ("httpx", "httpx2", "httpcore", "httpcore2", "aiohttp") and word in type(error).__name__


def _told(error: Exception) -> str:
    cause = error.__cause__
    inner = f" ({type(cause).__name__}: {cause})" if cause is not None else ""
    return f"{type(error).__name__}: {error}{inner}"[:500]
