"""The responses format of OpenAI, without anything kept at the provider: each request says all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import evolve, field, frozen

from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, Stop, ToolCall, Usage

from . import fault
from .event_stream import ServerEvent
from .schema import is_strict
from .wire import (
    Body,
    Json,
    address,
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

_LAST = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})


@frozen(kw_only=True)
class ResponsesFormat:
    """Requests and replies of one model; `options` go into every request as they are.

    What the model thought goes back to it, encrypted, as long as it `reasons`.
    """

    provider: str
    model: str
    options: Mapping[str, object] = field(factory=dict)
    native_output: bool = True
    reasons: bool = False

    def body(self, request: ModelRequest, *, stream: bool = False) -> Body:
        """See `Format.body`."""
        lines = [item for message in request.messages for item in self._items(message)]
        body: Body = {"model": self.model, "input": lines, "store": False}
        instructions = request.instructions
        if request.output is not None and self.native_output:
            schema = request.output.schema
            named = {"name": request.output.name, "schema": schema, "strict": is_strict(schema)}
            body["text"] = {"format": {"type": "json_schema", **named}}
        elif request.output is not None:
            instructions = told_schema(instructions, request.output)
        if instructions:
            body["instructions"] = instructions
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": False,  # here it is on unless said otherwise, and refuses optional parameters
                }
                for tool in request.tools
            ]
        if self.reasons:
            body["include"] = ["reasoning.encrypted_content"]
        return body | dict(self.options)

    def read(self, body: Json) -> ModelReply:
        """See `Format.read`."""
        status = text_of(body.get("status"))
        if body.get("error") or status == "failed":
            raise fault.in_stream(self.provider, body)
        if not isinstance(body.get("output"), list):
            raise malformed(f"it has no output: {shown(as_text(body))}")
        reason = text_of(object_of(body.get("incomplete_details")).get("reason"))
        if status not in ("completed", "incomplete") or (status == "incomplete" and not reason):
            raise incomplete(f"its status is {status!r}")
        found = _Output(self.provider, self.model)
        for item in objects(body["output"]):
            found.take(item)
        stop: Stop = "refusal" if found.refused or reason == "content_filter" else "length" if reason else "stop"
        reply = ModelReply(
            text=found.text,
            calls=tuple(found.calls(stop)),
            usage=_usage(body.get("usage")),
            stop=stop,
            model=text_of(body.get("model")),
            id=text_of(body.get("id")),
        )
        return evolve(whole(reply), kept=tuple(found.kept))

    def reader(self) -> ResponsesReader:
        """See `Format.reader`."""
        return ResponsesReader(self.provider)

    def _items(self, message: ChatMessage) -> Iterator[Json]:
        match message.role:
            case "user":
                yield {"role": "user", "content": _parts(message) if message.images else message.text}
            case "tool":
                text = f"Error: {message.text}" if message.is_error else message.text
                yield {"type": "function_call_output", "call_id": call_id(message.call_id), "output": text}
            case "assistant":
                seen: list[Json] = [{"role": "assistant", "content": message.text}] if message.text else []
                seen += map(_call, message.calls)
                kept = kept_items(message, self.provider, self.model)
                for place, item in enumerate(seen):
                    yield from kept.get(place, ())
                    yield item


class _Output:
    """What is in the items of a reply."""

    def __init__(self, provider: str, model: str) -> None:
        self._who = (provider, model)
        self._texts: list[str] = []
        self._calls: list[Json] = []
        self.refused = False
        self.kept: list[dict[str, object]] = []

    @property
    def text(self) -> str:
        return "".join(self._texts)

    def take(self, item: Json) -> None:
        match item.get("type"):
            case "message":
                for part in objects(item.get("content")):
                    self.refused = self.refused or part.get("type") == "refusal"
                    self._texts.append(text_of(part.get("text")) or text_of(part.get("refusal")))
            case "function_call":
                self._calls.append(item)
            case "reasoning" if item.get("encrypted_content"):
                place = bool(self.text) + len(self._calls)
                plain = {name: value for name, value in item.items() if value is not None and name != "status"}
                self.kept.append(kept_item(*self._who, place, plain))

    def calls(self, stop: Stop) -> Iterator[ToolCall]:
        for item in self._calls:
            name, id = text_of(item.get("name")), text_of(item.get("call_id"))
            if not name:
                raise malformed("a call names no tool")
            if stop == "stop":
                if item.get("status") not in (None, "completed"):
                    raise incomplete(f"the call of {name!r} is {item.get('status')!r}")
                yield ToolCall(id, name, arguments(text_of(item.get("arguments")), name))
            else:
                yield ToolCall(id, name, {})


class ResponsesReader:
    """See `Reader`. The last event repeats the whole reply; without it there is none."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._items: list[Json] = []
        self._last: Json | None = None

    @property
    def is_over(self) -> bool:
        """See `Reader.is_over`."""
        return self._last is not None

    def take(self, event: ServerEvent) -> str:
        """See `Reader.take`."""
        if not event.data.strip() or event.data.strip() == "[DONE]":
            return ""
        data = parse(event.data, "an event of the stream")
        kind = text_of(data.get("type")) or event.name
        if kind == "error" or (data.get("error") and not kind):
            raise fault.in_stream(self._provider, data)
        if kind in _LAST:
            self._last = object_of(data.get("response"))
        elif kind == "response.output_item.done":
            self._items.append(object_of(data.get("item")))
        elif kind in ("response.output_text.delta", "response.refusal.delta"):
            return text_of(data.get("delta"))
        return ""

    def body(self) -> Json:
        """See `Reader.body`."""
        if self._last is None:
            raise incomplete("the stream has no last event")
        return self._last if self._last.get("output") else {**self._last, "output": self._items}


def _usage(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    read, written = object_of(value.get("input_tokens_details")), object_of(value.get("output_tokens_details"))
    return Usage(
        input_tokens=count(value.get("input_tokens")),
        output_tokens=count(value.get("output_tokens")),
        cached_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        reasoning_tokens=count(written.get("reasoning_tokens")),
    )


def _parts(message: ChatMessage) -> list[Body]:
    parts: list[Body] = [{"type": "input_text", "text": message.text}] if message.text else []
    for image in message.images:
        parts.append({"type": "input_image", "image_url": address(image)})
    return parts


def _call(call: ToolCall) -> Body:
    return {
        "type": "function_call",
        "call_id": call_id(call.id),
        "name": call.name,
        "arguments": as_text(call.arguments),
    }
