"""The three models, on the real SDKs at a loopback provider, or on an SDK of our own that only plays bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from choragus.agents.errors import ModelError
from choragus.agents.model import ModelReply, ModelRequest, Price, TextDelta
from choragus.agents.provider.adapter import Adapter, Bounds
from choragus.agents.provider.anthropic import AnthropicModel
from choragus.agents.provider.chat import ChatFormat
from choragus.agents.provider.connection import Answer, Client, Connection, SdkErrors
from choragus.agents.provider.messages import MessagesFormat
from choragus.agents.provider.openai import OpenAIModel
from choragus.agents.provider.responses import ResponsesFormat
from choragus.agents.provider.tariff import Tariffs
from choragus.agents.provider.wire import Body, Format

from .shape import ASKED

KEY = "sk-very-secret-0123456789"
PRICE = Price(input_per_million=2.0, output_per_million=8.0, cached_per_million=0.5)


def model(format: str, url: str, **options: object) -> Adapter:
    """The model of a format at a loopback provider, on the real SDK."""
    given: dict[str, object] = {"api_key": KEY, "price": PRICE, "provider": "test", **options}
    if format == "messages":
        return AnthropicModel("m", base_url=url, **given)  # type: ignore[arg-type]  # as the model checks them
    return OpenAIModel("m", base_url=f"{url}/v1", interface=format, **given)  # type: ignore[arg-type]  # the same


def form(format: str) -> Format:
    """The format by itself."""
    match format:
        case "chat":
            return ChatFormat(provider="test", model="m")
        case "responses":
            return ResponsesFormat(provider="test", model="m", reasons=True)
        case _:
            return MessagesFormat(provider="test", model="m", max_output_tokens=100)


async def ended(
    model: Adapter, request: ModelRequest = ASKED, *, stream: bool = False
) -> tuple[str, ModelReply | ModelError]:
    """The text that was streamed, and how it ended; anything but a ModelError is raised."""
    text, reply = "", None
    try:
        if not stream:
            return "", await model.complete(request)
        async for piece in model.stream(request):
            assert reply is None, "the reply is last"
            if isinstance(piece, TextDelta):
                text += piece.text
            else:
                reply = piece
    except ModelError as error:
        return text, error
    assert reply is not None
    return text, reply


class Played:
    """An SDK without a network: each call is answered by the bytes in hand, in these pieces."""

    class Failed(Exception):
        """Raised by nobody."""

    ERRORS = SdkErrors(status=Failed, timeout=(TimeoutError,), transport=(ConnectionError,), base=Failed)

    def __init__(self) -> None:
        self.pieces: Sequence[bytes] = ()
        self.fails: Exception | None = None
        self.headers: Mapping[str, str] = {}

    async def close(self) -> None:
        """Nothing."""

    def connect(self, api_key: str, base_url: str | None, timeout: float) -> Client:
        """See `Sdk.connect`."""
        return self

    def tamed(self, client: object) -> Client:
        """See `Sdk.tamed`."""
        return self

    def open(self, interface: str, client: Client, body: Body, stream: bool) -> AbstractAsyncContextManager[Answer]:
        """See `Sdk.open`."""
        return self._opened()

    def headers_of(self, error: Exception) -> Mapping[str, str]:
        """See `Sdk.headers_of`."""
        return {}

    async def iter_bytes(self) -> AsyncIterator[bytes]:
        """See `Answer.iter_bytes`."""
        for piece in self.pieces:
            yield piece
        if self.fails is not None:
            raise self.fails

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Answer]:
        yield self


class _Plugged(Connection):
    def __init__(self, sdk: Played) -> None:
        self._played = sdk
        super().__init__("", None, sdk)

    def _load(self) -> Played:
        self._sdk = self._played
        return self._played


def played(format: str, *, max_reply_bytes: int = 1_000_000) -> tuple[Adapter, Played]:
    """A model of the format, and what it is answered by."""
    sdk = Played()
    adapter = Adapter(
        "m",
        provider="test",
        interface=format,
        format=form(format),
        connection=_Plugged(sdk),
        settings={},
        tariffs=Tariffs("test", "m", "", PRICE),
        bounds=Bounds(max_reply_bytes=max_reply_bytes),
        secret=KEY,
    )
    return adapter, sdk
