"""The chat-completions format, which OpenAI's endpoints and those that are made after them speak."""

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

_STOPS: Mapping[str, Stop] = {"length": "length", "content_filter": "refusal"}
_BROKEN_OFF = frozenset({"error", "abort", "aborted"})
_THOUGHTS = "reasoning_content"
"""Where some compatible endpoints put what their model thinks; with calls they want it back."""


@frozen(kw_only=True)
class ChatFormat:
    """Requests and replies of one model; `options` go into every request as they are."""

    provider: str
    model: str
    options: Mapping[str, object] = field(factory=dict)
    native_output: bool = True

    def body(self, request: ModelRequest, *, stream: bool = False) -> Body:
        """See `Format.body`."""
        body: Body = {"model": self.model, "messages": list(self._messages(request))}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {
                        "name": tool.name,
                        "description": tool.description,
                        "parameters": tool.parameters,
                    },
                }
                for tool in request.tools
            ]
        if request.output is not None and self.native_output:
            schema = request.output.schema
            named = {"name": request.output.name, "schema": schema, "strict": is_strict(schema)}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        if stream:
            body["stream_options"] = {"include_usage": True}
        return body | dict(self.options)

    def read(self, body: Json) -> ModelReply:
        """See `Format.read`."""
        if body.get("error"):
            raise fault.in_stream(self.provider, body)
        choice = next(objects(body.get("choices")), None)
        if choice is None:
            raise malformed(f"it has no choices: {shown(as_text(body))}")
        message, reason = object_of(choice.get("message")), text_of(choice.get("finish_reason"))
        if reason in _BROKEN_OFF:
            raise incomplete(f"it finished by {reason!r}")
        refusal = text_of(message.get("refusal"))
        stop: Stop = "refusal" if refusal else _STOPS.get(reason, "stop")
        asked = [
            {**object_of(each.get("function")), "id": each.get("id")} for each in objects(message.get("tool_calls"))
        ]
        reply = ModelReply(
            text=_content(message.get("content")) or refusal,
            calls=_unread(asked) if stop in ("length", "refusal") else _calls(asked),
            usage=_usage(body.get("usage")),
            stop=stop,
            model=text_of(body.get("model")),
            id=text_of(body.get("id")),
        )
        return evolve(whole(reply), kept=self._kept(message))

    def reader(self) -> ChatReader:
        """See `Format.reader`."""
        return ChatReader(self.provider)

    def _kept(self, message: Json) -> tuple[dict[str, object], ...]:
        thoughts = text_of(message.get(_THOUGHTS))
        if not thoughts or not message.get("tool_calls"):
            return ()
        return (kept_item(self.provider, self.model, 0, {_THOUGHTS: thoughts}),)

    def _messages(self, request: ModelRequest) -> Iterator[Body]:
        system = request.instructions
        if request.output is not None and not self.native_output:
            system = told_schema(system, request.output)
        if system:
            yield {"role": "system", "content": system}
        for message in request.messages:
            yield self._message(message)

    def _message(self, message: ChatMessage) -> Body:
        match message.role:
            case "user":
                return {"role": "user", "content": _parts(message) if message.images else message.text}
            case "tool":
                text = f"Error: {message.text}" if message.is_error else message.text
                return {"role": "tool", "tool_call_id": call_id(message.call_id), "content": text}
            case "assistant":
                said: Body = {"role": "assistant", "content": message.text or None}
                if message.calls:
                    said["tool_calls"] = [_call(call) for call in message.calls]
                else:
                    said["content"] = message.text
                for items in kept_items(message, self.provider, self.model).values():
                    for item in items:
                        said |= item
                return said


class ChatReader:
    """See `Reader`. A stream has ended with `[DONE]`, or once it has said why it finished: some do only one of them."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._head: Body = {}
        self._texts: dict[str, list[str]] = {"content": [], "refusal": [], _THOUGHTS: []}
        self._calls: dict[object, Body] = {}
        self._reason = ""
        self.is_over = False

    def take(self, event: ServerEvent) -> str:
        """See `Reader.take`."""
        if event.data.strip() == "[DONE]":
            self.is_over = True
            return ""
        if not event.data.strip():
            return ""
        chunk = parse(event.data, "an event of the stream")
        if chunk.get("error") or event.name == "error":
            raise fault.in_stream(self._provider, chunk)
        self._head |= {name: chunk[name] for name in ("id", "model", "usage") if chunk.get(name)}
        choice = next(objects(chunk.get("choices")), None)
        if choice is None or choice.get("index", 0) != 0:
            return ""
        self._reason = text_of(choice.get("finish_reason")) or self._reason
        return self._delta(object_of(choice.get("delta")))

    def body(self) -> Json:
        """See `Reader.body`."""
        if not self._reason and not self.is_over:
            raise incomplete("the stream does not say why it finished")
        message: Body = {name: "".join(texts) for name, texts in self._texts.items()}
        message["tool_calls"] = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}  # type: ignore[arg-type]  # a list of texts, see _part
            for call in self._calls.values()
        ]
        return {**self._head, "choices": [{"message": message, "finish_reason": self._reason}]}

    def _delta(self, delta: Json) -> str:
        for name, texts in self._texts.items():
            texts.append(_content(delta.get(name)))
        for part in objects(delta.get("tool_calls")):
            self._part(part)
        # What the provider's filter says instead of an answer is the reply's text only where there is no other.
        return _content(delta.get("content")) or ("" if any(self._texts["content"]) else text_of(delta.get("refusal")))

    def _part(self, part: Json) -> None:
        """A piece of a call. Some endpoints number them, others only name them when they begin."""
        key: object = part.get("index")
        if key is None:
            last = next(reversed(self._calls), None)
            key = part.get("id") or last
        call = self._calls.setdefault(key, {"id": "", "name": "", "arguments": []})
        function = object_of(part.get("function"))
        call["id"] = call["id"] or text_of(part.get("id"))
        call["name"] = call["name"] or text_of(function.get("name"))
        pieces = call["arguments"]
        assert isinstance(pieces, list)
        pieces.append(text_of(function.get("arguments")))


def _content(value: object) -> str:
    """The text of a message, which some endpoints give in parts, with what the model thought between them."""
    if isinstance(value, str):
        return value
    return "".join(text_of(part.get("text")) for part in objects(value) if part.get("type") == "text")


def _calls(asked: list[Body]) -> tuple[ToolCall, ...]:
    found: list[ToolCall] = []
    for each in asked:
        name, given = text_of(each.get("name")), each.get("arguments")
        if not name:
            raise malformed("a call names no tool")
        # Some endpoints give the arguments as an object, not as its text.
        read = dict(given) if isinstance(given, Mapping) else arguments(text_of(given), name)
        found.append(ToolCall(text_of(each.get("id")), name, read))
    return tuple(found)


def _unread(asked: list[Body]) -> tuple[ToolCall, ...]:
    """The calls of a reply that was cut off: their names, for an error."""
    return tuple(ToolCall(text_of(each.get("id")), text_of(each.get("name")), {}) for each in asked)


def _usage(value: object) -> Usage | None:
    if not isinstance(value, Mapping):
        return None
    read, written = object_of(value.get("prompt_tokens_details")), object_of(value.get("completion_tokens_details"))
    return Usage(
        input_tokens=count(value.get("prompt_tokens")),
        output_tokens=count(value.get("completion_tokens")),
        cached_tokens=count(read.get("cached_tokens")),
        cache_write_tokens=count(read.get("cache_write_tokens")),
        reasoning_tokens=count(written.get("reasoning_tokens")),
    )


def _parts(message: ChatMessage) -> list[Body]:
    parts: list[Body] = [{"type": "text", "text": message.text}] if message.text else []
    for image in message.images:
        parts.append({"type": "image_url", "image_url": {"url": address(image)}})
    return parts


def _call(call: ToolCall) -> Body:
    function = {"name": call.name, "arguments": as_text(call.arguments)}
    return {"id": call_id(call.id), "type": "function", "function": function}
