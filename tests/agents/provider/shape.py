"""What the three formats look like on the wire: bodies and streams of one and the same reply."""

from __future__ import annotations

import json
from collections.abc import Sequence

from attrs import frozen

from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, ToolCall, ToolSchema

from .loopback import Answer

PARAMETERS: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CLOSED: dict[str, object] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = ToolSchema("weather", "Today's weather in a city.", PARAMETERS)
ASKED = ModelRequest("m", "Be brief.", (ChatMessage("user", "Umbrella in Bergen?"),), (WEATHER,))

FORMATS = ("chat", "responses", "messages")


@frozen(kw_only=True)
class Said:
    """A reply, whatever its format: two calls have arguments that come in pieces."""

    text: str = ""
    calls: tuple[ToolCall, ...] = ()
    stop: str = "stop"
    thought: str = ""


PLAIN = Said(text="Ja — take one.")
CALLS = Said(
    text="I look.",
    calls=(
        ToolCall("call_1", "weather", {"city": "Bergen", "days": [1, 2]}),
        ToolCall("call_2", "weather", {"city": "Ålesund"}),
    ),
    thought="It rains there.",
)


def answer(format: str, said: Said, *, stream: bool = False, **options: object) -> Answer:
    """The reply as the provider sends it."""
    if stream:
        return Answer(body=streamed(format, said), headers={"content-type": "text/event-stream"}, **options)  # type: ignore[arg-type]  # those of Answer
    return Answer(body=json.dumps(body(format, said)).encode(), **options)  # type: ignore[arg-type]  # the same


def is_full(reply: ModelReply, said: Said) -> bool:
    """Whether the reply has all that was said."""
    return (reply.text, reply.calls) == (said.text, said.calls)


def body(format: str, said: Said) -> dict[str, object]:
    """The reply in one piece."""
    return {"chat": _chat, "responses": _responses, "messages": _messages}[format](said)


def streamed(format: str, said: Said) -> bytes:
    """The reply as server-sent events."""
    events = {"chat": _chat_events, "responses": _responses_events, "messages": _messages_events}[format](said)
    named = ((event.get("type"), event) for event in events)
    lines = [(f"event: {name}\n" if name else "") + f"data: {_json(event)}\n\n" for name, event in named]
    return "".join([*lines, "data: [DONE]\n\n"] if format == "chat" else lines).encode()


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _halves(text: str) -> Sequence[str]:
    middle = len(text) // 2
    return [piece for piece in (text[:middle], text[middle:]) if piece]


def _chat(said: Said) -> dict[str, object]:
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": _json(call.arguments)}}
        for call in said.calls
    ]
    message = {"role": "assistant", "content": said.text or None, "reasoning_content": said.thought}
    reason = {"stop": "tool_calls" if calls else "stop", "refusal": "content_filter"}.get(said.stop, said.stop)
    details = {"prompt_tokens_details": {"cached_tokens": 40}, "completion_tokens_details": {"reasoning_tokens": 5}}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m-2026-01",
        "choices": [{"index": 0, "message": message | {"tool_calls": calls}, "finish_reason": reason}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120, **details},
    }


def _chat_events(said: Said) -> list[dict[str, object]]:
    whole = _chat(said)
    head = {"id": whole["id"], "object": "chat.completion.chunk", "model": whole["model"]}
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in _halves(said.thought)]
    deltas += [{"content": piece} for piece in _halves(said.text)]
    for index, call in enumerate(said.calls):
        begun = {"index": index, "id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}}
        deltas.append({"tool_calls": [begun]})
        for piece in _halves(_json(call.arguments)):
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    reason = whole["choices"][0]["finish_reason"]  # type: ignore[index]  # made above
    chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}
    return [*chunks, last, {**head, "choices": [], "usage": whole["usage"]}]


def _responses(said: Said) -> dict[str, object]:
    output: list[dict[str, object]] = []
    if said.thought:
        output.append({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "c2VjcmV0"})
    if said.text:
        kind = "refusal" if said.stop == "refusal" else "text"
        part: dict[str, object] = {
            "type": "refusal" if kind == "refusal" else "output_text",
            kind: said.text,
            "annotations": [],
        }
        output.append({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]})
    for call in said.calls:
        item = {"call_id": call.id, "name": call.name, "arguments": _json(call.arguments), "status": "completed"}
        output.append({"id": f"fc_{call.id}", "type": "function_call", **item})
    is_cut = said.stop == "length"
    return {
        "id": "resp_1",
        "object": "response",
        "model": "m-2026-01",
        "status": "incomplete" if is_cut else "completed",
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if is_cut else None,
        "output": output,
        "usage": {
            "input_tokens": 100,
            "input_tokens_details": {"cached_tokens": 40},
            "output_tokens": 20,
            "output_tokens_details": {"reasoning_tokens": 5},
            "total_tokens": 120,
        },
    }


def _responses_events(said: Said) -> list[dict[str, object]]:
    whole = _responses(said)
    events: list[dict[str, object]] = [
        {"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}
    ]
    kind = "refusal" if said.stop == "refusal" else "output_text"
    for index, item in enumerate(whole["output"]):  # type: ignore[arg-type, var-annotated]  # made above
        events.append({"type": "response.output_item.added", "output_index": index, "item": item | {"status": "x"}})
        if item["type"] == "message":
            events += [{"type": f"response.{kind}.delta", "delta": piece} for piece in _halves(said.text)]
        if item["type"] == "function_call":
            for piece in _halves(item["arguments"]):
                events.append({"type": "response.function_call_arguments.delta", "delta": piece})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    return [*events, {"type": f"response.{whole['status']}", "response": whole}]


def _messages(said: Said) -> dict[str, object]:
    content: list[dict[str, object]] = []
    if said.thought:
        content.append({"type": "thinking", "thinking": said.thought, "signature": "c2lnbmVk"})
    if said.text:
        content.append({"type": "text", "text": said.text})
    content += [{"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments} for call in said.calls]
    reason = {"stop": "tool_use" if said.calls else "end_turn", "length": "max_tokens"}.get(said.stop, said.stop)
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "m-2026-01",
        "content": content,
        "stop_reason": reason,
        "usage": {
            "input_tokens": 60,
            "cache_read_input_tokens": 40,
            "cache_creation_input_tokens": 0,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 5},
        },
    }


def _messages_events(said: Said) -> list[dict[str, object]]:
    whole = _messages(said)
    usage: dict[str, object] = dict(whole["usage"])  # type: ignore[call-overload]  # made above
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 1}}
    events: list[dict[str, object]] = [{"type": "message_start", "message": begun}, {"type": "ping"}]
    for index, block in enumerate(whole["content"]):  # type: ignore[arg-type, var-annotated]  # made above
        empty: dict[str, dict[str, object]] = {
            "thinking": {"thinking": "", "signature": ""},
            "text": {"text": ""},
            "tool_use": {"input": {}},
        }
        start = {**block, **empty[block["type"]]}
        events.append({"type": "content_block_start", "index": index, "content_block": start})
        for delta in _deltas(block):
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    used = {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 5}}
    last: dict[str, object] = {"type": "message_delta", "delta": {"stop_reason": whole["stop_reason"]}, "usage": used}
    return [*events, last, {"type": "message_stop"}]


def _deltas(block: dict[str, object]) -> list[dict[str, object]]:
    match block["type"]:
        case "thinking":
            pieces: list[dict[str, object]] = [
                {"type": "thinking_delta", "thinking": piece} for piece in _halves(str(block["thinking"]))
            ]
            return [*pieces, {"type": "signature_delta", "signature": block["signature"]}]
        case "text":
            return [{"type": "text_delta", "text": piece} for piece in _halves(str(block["text"]))]
        case _:
            return [{"type": "input_json_delta", "partial_json": piece} for piece in _halves(_json(block["input"]))]
