"""The messages format of Anthropic."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping

from attrs import evolve, field, frozen

from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Image, ModelReply, ModelRequest, Stop, ToolCall, Usage

from . import fault
from .event_stream import ServerEvent
from .schema import NUMBERS_AND_LENGTHS, is_strict
from .wire import (
    Body,
    Json,
    arguments,
    as_text,
    call_id,
    count,
    incomplete,
    kept_item,
    kept_items,
    malformed,
    object_of,
    objects,
    parse,
    shown,
    text_of,
    told_schema,
    whole,
)

_STOPS: Mapping[str, Stop] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
_PARTIAL = "partial_json"
_NOTHING = "(nothing)"
"""Stands for an empty text, which the provider refuses."""


@frozen(kw_only=True)
class MessagesFormat:
    """Requests and replies of one model; `options` go into every request as they are."""

    provider: str
    model: str
    max_output_tokens: int
    options: Mapping[str, object] = field(factory=dict)
    native_output: bool = True

    def body(self, request: ModelRequest, *, stream: bool = False) -> Body:
        """See `Format.body`."""
        body: Body = {
            "model": self.model,
            "max_tokens": self.max_output_tokens,
            "messages": list(self._turns(request.messages)),
        }
        options, system = dict(self.options), request.instructions
        if request.output is not None:
            schema = request.output.schema
            if self.native_output and is_strict(schema, optional=True, without=NUMBERS_AND_LENGTHS):
                form = {"type": "json_schema", "schema": schema}
                options["output_config"] = {**object_of(options.get("output_config")), "format": form}
            else:
                system = told_schema(system, request.output)
        if system:
            body["system"] = system
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in request.tools
            ]
        elif gone := _called(request.messages):
            # What is called in the conversation must be among the tools; nothing of it may be called any more.
            body["tools"] = [{"name": name, "input_schema": {"type": "object"}} for name in gone]
            body["tool_choice"] = {"type": "none"}
        return body | options

    def read(self, body: Json) -> ModelReply:
        """See `Format.read`."""
        if body.get("type") == "error" or body.get("error"):
            raise fault.in_stream(self.provider, body)
        if not isinstance(body.get("content"), list):
            raise malformed(f"it has no content: {shown(as_text(body))}")
        reason = text_of(body.get("stop_reason"))
        if not reason:
            raise incomplete("it does not say why it stopped")
        if reason == "pause_turn":
            raise ModelError(
                "the model paused its turn, as it does for tools that the provider runs itself: leave those out",
                kind="incomplete",
            )
        stop = _STOPS.get(reason, "stop")
        text, calls, kept = "", list[ToolCall](), list[dict[str, object]]()
        for block in objects(body["content"]):
            match block.get("type"):
                case "text":
                    text += text_of(block.get("text"))
                case "tool_use":
                    calls.append(_call(block, stop))
                case _:
                    kept.append(kept_item(self.provider, self.model, bool(text) + len(calls), block))
        reply = ModelReply(
            text=text,
            calls=tuple(calls),
            usage=_usage(body.get("usage")),
            stop=stop,
            model=text_of(body.get("model")),
            id=text_of(body.get("id")),
        )
        return evolve(whole(reply), kept=tuple(kept))

    def reader(self) -> MessagesReader:
        """See `Format.reader`."""
        return MessagesReader(self.provider)

    def _turns(self, messages: tuple[ChatMessage, ...]) -> Iterator[Body]:
        """The lines, with neighbours of one side in one message: all results of a reply must stand together."""
        side, blocks = "user", list[Json]()
        if messages and messages[0].role == "assistant":  # the user has to speak first
            blocks.append(_text(""))
        for message in messages:
            now = "assistant" if message.role == "assistant" else "user"
            if now != side and blocks:
                yield {"role": side, "content": blocks}
                blocks = []
            side = now
            blocks.extend(self._blocks(message))
        if blocks:
            yield {"role": side, "content": blocks}

    def _blocks(self, message: ChatMessage) -> Iterator[Json]:
        match message.role:
            case "user":
                yield from map(_image, message.images)
                if message.text.strip() or not message.images:
                    yield _text(message.text)
            case "tool":
                result: Body = {
                    "type": "tool_result",
                    "tool_use_id": call_id(message.call_id),
                    "content": message.text or _NOTHING,
                }
                yield result | {"is_error": True} if message.is_error else result
            case "assistant":
                seen: list[Json] = [_text(message.text)] if message.text.strip() else []
                seen += [
                    {"type": "tool_use", "id": call_id(call.id), "name": call.name, "input": call.arguments}
                    for call in message.calls
                ]
                kept = kept_items(message, self.provider, self.model)
                for place, block in enumerate(seen):
                    yield from kept.get(place, ())
                    yield block


class MessagesReader:
    """See `Reader`. The stream is over with `message_stop`; each of its blocks must have ended before."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._head: Body = {}
        self._usage: Body = {}
        self._blocks: dict[object, Body] = {}
        self._open: set[object] = set()
        self._pieces: dict[tuple[object, str], list[str]] = {}
        self.is_over = False

    def take(self, event: ServerEvent) -> str:
        """See `Reader.take`."""
        if event.name == "ping" or not event.data.strip():
            return ""
        data = parse(event.data, "an event of the stream")
        match data.get("type"):
            case "error":
                raise fault.in_stream(self._provider, data)
            case "message_start":
                message = object_of(data.get("message"))
                self._head |= {name: message.get(name) for name in ("id", "model")}
                self._used(message.get("usage"))
            case "content_block_start":
                return self._start(data.get("index"), object_of(data.get("content_block")))
            case "content_block_delta":
                return self._delta(data.get("index"), object_of(data.get("delta")))
            case "content_block_stop":
                self._open.discard(data.get("index"))
            case "message_delta":
                self._head["stop_reason"] = object_of(data.get("delta")).get("stop_reason")
                self._used(data.get("usage"))
            case "message_stop":
                self.is_over = True
        return ""

    def body(self) -> Json:
        """See `Reader.body`."""
        if not self.is_over or self._open:
            raise incomplete("the stream has no message_stop" if not self.is_over else "a block of it is open")
        for (index, name), pieces in self._pieces.items():
            self._blocks[index][name] = "".join(pieces)
        return {**self._head, "content": list(self._blocks.values()), "usage": self._usage or None}

    def _start(self, index: object, block: Json) -> str:
        self._blocks[index] = dict(block)
        self._open.add(index)
        # What a block begins with comes first; of a call's input that is an empty object.
        for name in ("text", "thinking"):
            if text_of(block.get(name)):
                self._pieces[(index, name)] = [text_of(block.get(name))]
        return text_of(block.get("text")) if block.get("type") == "text" else ""

    def _delta(self, index: object, delta: Json) -> str:
        if index not in self._open:
            raise malformed(f"a piece of the block {index!r}, which is not open")
        for name in ("text", "thinking", "signature", _PARTIAL):
            if delta.get("type") == _DELTAS[name]:
                self._pieces.setdefault((index, name), []).append(text_of(delta.get(name)))
        return text_of(delta.get("text")) if delta.get("type") == "text_delta" else ""

    def _used(self, usage: object) -> None:
        """Counts are those so far; what an event does not say stays."""
        self._usage |= {name: value for name, value in object_of(usage).items() if value is not None}


_DELTAS = {
    "text": "text_delta",
    "thinking": "thinking_delta",
    "signature": "signature_delta",
    _PARTIAL: "input_json_delta",
}


def _call(block: Json, stop: Stop) -> ToolCall:
    """A call whose arguments came as an object, or in a stream as pieces of text."""
    name, id = text_of(block.get("name")), text_of(block.get("id"))
    if not name:
        raise malformed("a call names no tool")
    if stop != "stop":
        return ToolCall(id, name, {})
    if block.get(_PARTIAL):
        return ToolCall(id, name, arguments(text_of(block[_PARTIAL]), name))
    given = block.get("input", {})
    if not isinstance(given, Mapping):
        raise malformed(f"the arguments of the call of {name!r} are {shown(as_text(given))}, no JSON object")
    return ToolCall(id, name, dict(given))


def _usage(value: object) -> Usage | None:
    """What the provider counts apart, the cache, is here part of the input."""
    if not isinstance(value, Mapping):
        return None
    read, written = count(value.get("cache_read_input_tokens")), count(value.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=count(value.get("input_tokens")) + read + written,
        output_tokens=count(value.get("output_tokens")),
        cached_tokens=read,
        cache_write_tokens=written,
        reasoning_tokens=count(object_of(value.get("output_tokens_details")).get("thinking_tokens")),
    )


def _called(messages: tuple[ChatMessage, ...]) -> list[str]:
    """The names of the tools that were called, each once."""
    return list(dict.fromkeys(call.name for message in messages for call in message.calls))


def _text(text: str) -> Body:
    return {"type": "text", "text": text if text.strip() else _NOTHING}


def _image(image: Image) -> Body:
    source: Body
    if image.url:
        source = {"type": "url", "url": image.url}
    else:
        data = base64.b64encode(image.data).decode()
        source = {"type": "base64", "media_type": image.media_type, "data": data}
    return {"type": "image", "source": source}
