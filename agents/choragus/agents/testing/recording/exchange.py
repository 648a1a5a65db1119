"""One question and its answer, as plain JSON: a model call, or a tool call."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, TypeAlias, cast

import msgspec
from attrs import define, field

from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Image, ModelReply, ModelRequest, ToolCall, Usage

Plain: TypeAlias = dict[str, object]

Kind = Literal["model", "tool"]


@define(kw_only=True)
class Exchange:
    """What was asked and what came; an answer of None has not come yet.

    Asked of a model: the request. Of a tool: `call` (its id within the run), `tool` and `arguments`.
    """

    kind: Kind
    asked: Plain
    answer: Plain | None = None
    key: str = field(init=False)

    @key.default
    def _key(self) -> str:
        return key_of(self.asked)


def key_of(asked: Plain) -> str:
    """What two questions have in common that are the same."""
    return msgspec.json.encode(asked, order="sorted").decode()


def request_as_plain(request: ModelRequest) -> Plain:
    """All of a request that decides about the answer; what the provider wants back (`kept`) and labels are left out."""
    plain: Plain = {
        "model": request.model,
        "instructions": request.instructions,
        "messages": [_message(each) for each in request.messages],
        "tools": {
            each.name: {"description": each.description, "parameters": each.parameters} for each in request.tools
        },
    }
    if request.output is not None:
        plain["output"] = {"name": request.output.name, "schema": request.output.schema}
    return cast("Plain", msgspec.json.decode(msgspec.json.encode(plain)))


def reply_as_plain(reply: ModelReply) -> Plain:
    """A reply without what only its provider reads."""
    plain: Plain = {"text": reply.text, "stop": reply.stop}
    if reply.calls:
        plain["calls"] = [_call(each) for each in reply.calls]
    if reply.usage is not None:
        plain["usage"] = {name: each for name, each in msgspec.to_builtins(reply.usage).items() if each}
    if reply.model:
        plain["model"] = reply.model
    return {"reply": msgspec.json.decode(msgspec.json.encode(plain))}


def failure_as_plain(error: ModelError) -> Plain:
    """A model's failure."""
    plain: Plain = {"reason": str(error), "retryable": error.retryable}
    if error.kind:
        plain["kind"] = error.kind
    if error.retry_after is not None:
        plain["retry_after"] = error.retry_after
    return {"error": plain}


def reply_of(answer: Plain) -> ModelReply:
    """The reply that was recorded.

    Raises:
        ModelError: the failure that was recorded.
    """
    if "error" in answer:
        failed = msgspec.convert(answer["error"], _Failure)
        raise ModelError(failed.reason, failed.retryable, failed.kind, failed.retry_after)
    said = msgspec.convert(answer["reply"], _Reply)
    usage = None if said.usage is None else Usage(**said.usage)  # type: ignore[arg-type]  # counts are whole in the file
    return ModelReply(text=said.text, calls=said.calls, usage=usage, stop=said.stop, model=said.model)


class _Failure(msgspec.Struct):
    reason: str
    retryable: bool = False
    kind: str = ""
    retry_after: float | None = None


class _Reply(msgspec.Struct):
    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    usage: dict[str, int | float] | None = None
    stop: Literal["stop", "tool_calls", "length", "refusal"] = "stop"
    model: str = ""


def _message(message: ChatMessage) -> Plain:
    plain: Mapping[str, object] = {
        "role": message.role,
        "text": message.text,
        "calls": [_call(each) for each in message.calls],
        "call_id": message.call_id,
        "name": message.name,
        "is_error": message.is_error,
        "images": [_image(each) for each in message.images],
    }
    return {name: each for name, each in plain.items() if each or name == "role"}


def _call(call: ToolCall) -> Plain:
    return {"id": call.id, "name": call.name, "arguments": call.arguments}


def _image(image: Image) -> Plain:
    if image.url:
        return {"url": image.url}
    return {"media_type": image.media_type, "sha256": hashlib.sha256(image.data).hexdigest()}
