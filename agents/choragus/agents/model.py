"""What is said to a language model and what it says back, without any provider.

Everything here is plain data that is stored as JSON with the run, and one protocol, `Model`, that a provider
implements.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from typing import Literal, Protocol, TypeAlias, TypeVar, runtime_checkable

import msgspec
from attrs import Attribute, field, frozen

N = TypeVar("N", int, float)

CHARACTERS_PER_TOKEN = 4
TOKENS_PER_IMAGE = 1_600
"""What a large picture takes at the providers that say so."""


def _not_negative(owner: object, attribute: Attribute[N], value: N) -> None:
    _check_number(owner, attribute.name, value)


def _none_or_not_negative(owner: object, attribute: Attribute[float | None], value: float | None) -> None:
    if value is not None:
        _check_number(owner, attribute.name, value)


def _check_number(owner: object, name: str, value: float) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and value >= 0):
        raise ValueError(
            f"{type(owner).__name__}.{name} is {value!r}, below 0 or not finite: give a finite number, 0 or more"
        )


@frozen
class ToolCall:
    """One call that the model asks for; `arguments` are as the model wrote them, not yet checked.

    `id` joins the call with its result and is unique within a run.
    """

    id: str
    name: str
    arguments: dict[str, object]


@frozen(kw_only=True)
class Usage:
    """What one model call used, or may use at most: tokens, and US dollars.

    Of the input, `cached_tokens` were read from the provider's cache and `cache_write_tokens` written to it; of the
    output, `reasoning_tokens` are none of the text. All three are contained in the other two.

    >>> Usage(input_tokens=900, output_tokens=100).total_tokens
    1000
    """

    input_tokens: int = field(default=0, validator=_not_negative)
    output_tokens: int = field(default=0, validator=_not_negative)
    cost_usd: float = field(default=0.0, validator=_not_negative)
    cached_tokens: int = field(default=0, validator=_not_negative)
    cache_write_tokens: int = field(default=0, validator=_not_negative)
    reasoning_tokens: int = field(default=0, validator=_not_negative)

    @property
    def total_tokens(self) -> int:
        """Input and output tokens together."""
        return self.input_tokens + self.output_tokens


@frozen(kw_only=True)
class Price:
    """US dollars per million tokens; free by default. What is read from the cache or written to it costs as other input
    does, unless its own price is given.

    >>> Price(input_per_million=2.0, output_per_million=8.0).cost(Usage(input_tokens=500_000, output_tokens=250_000))
    3.0
    >>> Price(input_per_million=2.0, cached_per_million=0.5).cost(Usage(input_tokens=1_000_000, cached_tokens=500_000))
    1.25
    """

    input_per_million: float = field(default=0.0, validator=_not_negative)
    output_per_million: float = field(default=0.0, validator=_not_negative)
    cached_per_million: float | None = field(default=None, validator=_none_or_not_negative)
    cache_write_per_million: float | None = field(default=None, validator=_none_or_not_negative)

    def cost(self, usage: Usage) -> float:
        """US dollars for the tokens of `usage`; its own `cost_usd` is not looked at."""
        dollars = usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million
        if self.cached_per_million is not None:
            dollars += usage.cached_tokens * (self.cached_per_million - self.input_per_million)
        if self.cache_write_per_million is not None:
            dollars += usage.cache_write_tokens * (self.cache_write_per_million - self.input_per_million)
        return max(0.0, dollars) / 1_000_000

    def priced(self, input_tokens: int, output_tokens: int) -> Usage:
        """A usage of so many tokens with its cost filled in."""
        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        return Usage(input_tokens=input_tokens, output_tokens=output_tokens, cost_usd=self.cost(usage))


@frozen(kw_only=True)
class Image:
    """A picture in a line of the conversation: its bytes with their media type (`image/png`), or an address."""

    media_type: str = ""
    data: bytes = b""
    url: str = ""

    def __attrs_post_init__(self) -> None:
        if bool(self.data) == bool(self.url) or (self.data and not self.media_type.startswith("image/")):
            raise ValueError(
                f"Image(media_type={self.media_type!r}, url={self.url!r}) with {len(self.data)} bytes is no picture: "
                "give data with media_type='image/...', or a url"
            )


@frozen
class ChatMessage:
    """One line of the conversation, in the order in which the model sees it.

    A `user` line has text, images or both. An `assistant` line has text, calls or both. A `tool` line is the result of
    the call `call_id` of the tool `name`; `is_error` says that the text tells what went wrong. `labels` say where it
    came from, as far as that is known beside the role: those that the tool declared when it was called. `kept` is what
    the provider wants back as it gave it with an assistant line (reasoning items, signatures): JSON objects that only
    its own adapter reads, each with the provider's name under "provider".
    """

    role: Literal["user", "assistant", "tool"]
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    name: str = ""
    is_error: bool = False
    labels: tuple[str, ...] = ()
    images: tuple[Image, ...] = ()
    kept: tuple[dict[str, object], ...] = ()


@frozen
class ToolSchema:
    """What the model is told of a tool; `parameters` is a JSON Schema of type object."""

    name: str
    description: str
    parameters: dict[str, object]


@frozen
class OutputSchema:
    """What the text of the last reply must be: JSON that fits `schema`, a JSON Schema."""

    name: str
    schema: dict[str, object]


@frozen
class ModelRequest:
    """All that a model is sent for one call; a model keeps nothing between two calls.

    With `output` the text of a reply without calls is to be JSON of that schema. A provider that can hold its model to
    it does so; others are told in the instructions, and whoever asked checks the text in any case.
    """

    model: str
    instructions: str
    messages: tuple[ChatMessage, ...]
    tools: tuple[ToolSchema, ...]
    output: OutputSchema | None = None


Stop: TypeAlias = Literal["stop", "tool_calls", "length", "refusal"]
"""Why a reply ended."""


@frozen
class ModelReply:
    """What the model answered; `stop` says why it ended, and `usage` is None when it was not told.

    A `length` reply was cut off at the output limit, a `refusal` holds the model's own words for not answering. `model`
    is the id of the model that answered, as the provider says it, and `id` the provider's name for the reply; empty
    where it says none. `kept` is for the conversation, as in ChatMessage.
    """

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: Usage | None = None
    stop: Stop = "stop"
    model: str = ""
    id: str = ""
    kept: tuple[dict[str, object], ...] = ()


@frozen
class TextDelta:
    """A piece of the text of a reply that is still being written."""

    text: str


Streamed: TypeAlias = TextDelta | ModelReply


@runtime_checkable
class Model(Protocol):
    """A language model. Without I/O it is `FunctionModel` or `ScriptedModel`; a provider's adapter is another.

    One that calls nothing real may say so by an attribute `is_real = False`: tests that forbid real calls let it pass.
    """

    @property
    def name(self) -> str:
        """The model's name as its provider spells it."""

    @property
    def provider(self) -> str:
        """Who runs it, in one lower-case word."""

    def settings(self) -> dict[str, object]:
        """What shapes its answers, as JSON values: part of the manifest, so a change of it changes a run's identity."""

    def estimate(self, request: ModelRequest) -> Usage | None:
        """The most that completing `request` may use: its size and the longest answer, at the price table.

        The budget is reserved by it before the call. None: nobody can tell, and then a run with a ceiling on tokens or
        money does not make the call, unless its Limits(unbounded="allow").
        """

    async def complete(self, request: ModelRequest) -> ModelReply:
        """Answer `request`. Cancellable at any await; called again with the same request after a crash.

        Raises:
            ModelError: the model failed; its `retryable` says whether the same request may succeed later.
        """


@runtime_checkable
class StreamingModel(Model, Protocol):
    """A model that also gives its reply piece by piece."""

    def stream(self, request: ModelRequest) -> AsyncIterator[Streamed]:
        """The pieces of the reply's text as they come, and behind them, once and last, the whole reply.

        The texts of the pieces together are the reply's. Closing the iterator gives the call up.

        Raises:
            ModelError: as `complete`; also when the stream ends before the reply is complete.
        """


def bound(model: Model, request: ModelRequest) -> Usage | str:
    """What the model says that completing `request` may use at most, or why it says nothing."""
    try:
        most = model.estimate(request)
    except Exception as error:  # the estimate is the user's code, and a model that cannot tell is a case of its own
        return f"its estimate raised {type(error).__name__}: {error}"
    if isinstance(most, Usage):
        return most
    return f"its estimate gave {most!r}, which is no Usage"


def tokens(value: ModelRequest | ModelReply) -> int:
    """Tokens of a request or reply by its length: one for each 4 characters of what is said in it, rounded up.

    Calls, schemas and what is kept for the provider count by their JSON, a picture as 1,600 tokens.
    """
    if isinstance(value, ModelReply):
        return math.ceil((len(value.text) + _characters(value.calls)) / CHARACTERS_PER_TOKEN)
    said = len(value.instructions) + weight_beside(value.tools, value.output) + sum(map(weight, value.messages))
    return math.ceil(said / CHARACTERS_PER_TOKEN)


def weight_beside(tools: tuple[ToolSchema, ...], output: OutputSchema | None = None) -> int:
    """The characters of what a request has beside instructions and lines, as `tokens` counts them."""
    return _characters(tools) + (0 if output is None else _characters(output))


def weight(message: ChatMessage) -> int:
    """The characters of one line as `tokens` counts them, a picture as those of its tokens."""
    ids = len(message.role) + len(message.call_id) + len(message.name)
    said = len(message.text) + ids + _characters(message.calls) + _characters(message.kept)
    return said + TOKENS_PER_IMAGE * CHARACTERS_PER_TOKEN * len(message.images)


def _characters(value: object) -> int:
    """Characters of its JSON; none for nothing."""
    return len(msgspec.json.encode(value).decode()) if value else 0
