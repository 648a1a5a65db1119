"""What comes from a provider, read with suspicion: anything may be missing, or of another type."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec
from attrs import evolve

from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Image, ModelReply, ModelRequest, OutputSchema, ToolCall

from .event_stream import ServerEvent

Json: TypeAlias = Mapping[str, object]
Body: TypeAlias = dict[str, object]

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
SHOWN = 200
"""Characters of what cannot be read that an error repeats."""


class Reader(Protocol):
    """Puts one streamed reply together, event by event."""

    def take(self, event: ServerEvent) -> str:
        """The piece of the reply's text that the event brings, perhaps none.

        Raises:
            ModelError: the event says that the provider failed, or cannot be read.
        """

    @property
    def is_over(self) -> bool:
        """Whether the stream has said that nothing more comes."""

    def body(self) -> Json:
        """The reply as it would have come in one piece.

        Raises:
            ModelError: of kind "incomplete": the stream has ended before it.
        """


class Format(Protocol):
    """What a provider is sent, and how its answer reads."""

    def body(self, request: ModelRequest, *, stream: bool = False) -> Body:
        """The request in JSON types."""

    def read(self, body: Json) -> ModelReply:
        """The reply in a body; its `usage` has no cost yet.

        Raises:
            ModelError: it is none, or not whole.
        """

    def reader(self) -> Reader:
        """What puts a streamed reply together."""


def malformed(what: str) -> ModelError:
    """What cannot be read; the next answer may be better."""
    return ModelError(f"the provider's answer cannot be read: {what}; call it again", retryable=True, kind="malformed")


def incomplete(what: str) -> ModelError:
    """What ended before its end."""
    return ModelError(
        f"the provider's answer ended before its end: {what}; call it again", retryable=True, kind="incomplete"
    )


def parse(text: str | bytes, what: str) -> dict[str, object]:
    """The JSON object in a text.

    Raises:
        ModelError: there is none. Of kind "malformed", retryable.
    """
    try:
        value: object = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise malformed(f"{what} is {shown(text)}, no JSON ({error})") from None
    if not isinstance(value, dict):
        raise malformed(f"{what} is {shown(text)}, no JSON object")
    return value


def shown(text: str | bytes) -> str:
    """The beginning of it, for an error."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN].decode("utf-8", "replace")
    text = " ".join(text.split())
    if not text:
        return "empty"
    if re.match(r"<(!doctype|html|head|body)", text, flags=re.IGNORECASE):
        title = re.search(r"<title>(.*?)</title>", text, flags=re.IGNORECASE)
        return f"an HTML page ({title[1]!r})" if title else "an HTML page"
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")


def arguments(text: str, tool: str) -> dict[str, object]:
    """The arguments of a finished call; a text without any stands for none.

    Raises:
        ModelError: they are no JSON object, as half of one is none.
    """
    return parse(text, f"the arguments of the call of {tool!r}") if text.strip() else {}


def text_of(value: object) -> str:
    """A text, or nothing."""
    return value if isinstance(value, str) else ""


def object_of(value: object) -> Json:
    """An object, or an empty one."""
    return value if isinstance(value, Mapping) else {}


def objects(value: object) -> Iterator[Json]:
    """The objects in a list; what is none is left out."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        yield from (each for each in value if isinstance(each, Mapping))


def count(value: object) -> int:
    """A number of tokens; 0 when it is none."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0


def call_id(id: str) -> str:
    """The call's name on the wire: the same wherever it is named, and such that providers take it."""
    return id if _ID.fullmatch(id) else f"call_{hashlib.sha256(id.encode()).hexdigest()[:24]}"


def as_text(value: object) -> str:
    """A value as JSON text."""
    return msgspec.json.encode(value).decode()


def address(image: Image) -> str:
    """Where a picture is: its URL, or one that holds its data."""
    return image.url or f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"


def told_schema(instructions: str, output: OutputSchema) -> str:
    """The instructions with the wish for JSON of a schema, for a model that cannot be held to it."""
    wish = (
        f"Answer with nothing but one JSON value, without a Markdown fence around it. It must fit this JSON Schema "
        f"({output.name}):\n{as_text(output.schema)}"
    )
    return f"{instructions}\n\n{wish}" if instructions else wish


def kept_item(provider: str, model: str, after: int, item: Json) -> dict[str, object]:
    """What goes back to the provider with a line: its place is behind so many of the line's text and calls."""
    return {"provider": provider, "model": model, "after": after, "item": dict(item)}


def kept_items(message: ChatMessage, provider: str, model: str) -> dict[int, list[Json]]:
    """What a line keeps for this model of the provider, by its place; what another model gave is not for this one."""
    found: dict[int, list[Json]] = {}
    for kept in message.kept:
        if kept.get("provider") == provider and kept.get("model") == model:
            found.setdefault(count(kept.get("after")), []).append(object_of(kept.get("item")))
    return found


def whole(reply: ModelReply) -> ModelReply:
    """The reply, if there is any in it and its calls are whole.

    Raises:
        ModelError: of kind "malformed" when there is nothing in it, of kind "incomplete" when the output limit cut off
            its calls: none of them is made.
    """
    if reply.stop == "refusal":
        return evolve(reply, calls=())
    if reply.stop == "length" and reply.calls:
        raise ModelError(
            f"the reply was cut off at the output limit in the middle of its calls ({_names(reply.calls)}), none of "
            "which is made: raise max_output_tokens",
            kind="incomplete",
        )
    if not reply.calls and not reply.text.strip() and reply.stop != "length":
        raise malformed("it has neither text nor calls")
    if reply.stop == "length":
        return reply
    return evolve(reply, stop="tool_calls" if reply.calls else "stop")


def _names(calls: Sequence[ToolCall]) -> str:
    return ", ".join(call.name for call in calls)
