"""What each format sends and reads: text, calls, results, pictures, schemas, thoughts, refusals, usage."""

from __future__ import annotations

import json

import attrs
import pytest

from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Image, ModelReply, ModelRequest, OutputSchema, ToolCall, Usage
from choragus.agents.provider.chat import ChatFormat
from choragus.agents.provider.messages import MessagesFormat
from choragus.agents.provider.responses import ResponsesFormat
from choragus.agents.provider.wire import call_id

from .shape import ASKED, CALLS, CLOSED, FORMATS, PLAIN, WEATHER, Said, body, streamed
from .wired import ended, form, played

FORMAT = pytest.mark.parametrize("format", FORMATS)
WAYS = pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])


def sent(format: str, *messages: ChatMessage, output: OutputSchema | None = None) -> dict[str, object]:
    """What goes over the wire for a conversation."""
    whole = ModelRequest("m", "Be brief.", messages, (WEATHER,), output)
    plain: dict[str, object] = json.loads(json.dumps(form(format).body(whole)))
    return plain


async def heard(format: str, said: Said, stream: bool) -> ModelReply:
    """The reply as it is read."""
    used, sdk = played(format)
    sdk.pieces = (streamed(format, said) if stream else json.dumps(body(format, said)).encode(),)
    text, reply = await ended(used, stream=stream)
    assert isinstance(reply, ModelReply), reply
    assert text == (reply.text if stream else "")
    return reply


@FORMAT
@WAYS
async def test_a_reply_has_text_usage_cost_and_the_names_that_the_provider_gave(format: str, stream: bool) -> None:
    reply = await heard(format, PLAIN, stream)

    assert (reply.text, reply.calls, reply.stop, reply.model) == (PLAIN.text, (), "stop", "m-2026-01")
    assert reply.id
    assert reply.usage is not None
    assert reply.usage.cost_usd == pytest.approx((60 * 2.0 + 40 * 0.5 + 20 * 8.0) / 1_000_000)
    used = Usage(input_tokens=100, output_tokens=20, cached_tokens=40, reasoning_tokens=5)
    assert attrs.evolve(reply.usage, cost_usd=0.0) == used


@FORMAT
@WAYS
async def test_parallel_calls_come_whole_and_in_order(format: str, stream: bool) -> None:
    reply = await heard(format, CALLS, stream)

    assert (reply.text, reply.calls, reply.stop) == (CALLS.text, CALLS.calls, "tool_calls")


@FORMAT
@WAYS
async def test_a_reply_at_the_output_limit_says_so(format: str, stream: bool) -> None:
    reply = await heard(format, Said(text="And then", stop="length"), stream)

    assert (reply.text, reply.stop) == ("And then", "length")


@FORMAT
@WAYS
async def test_a_refusal_is_one_and_calls_nothing(format: str, stream: bool) -> None:
    reply = await heard(format, Said(text="I will not.", calls=CALLS.calls, stop="refusal"), stream)

    assert (reply.text, reply.calls, reply.stop) == ("I will not.", (), "refusal")


@FORMAT
@WAYS
async def test_thoughts_go_back_where_they_stood_and_only_to_the_model_that_had_them(format: str, stream: bool) -> None:
    reply = await heard(format, CALLS, stream)
    line = ChatMessage("assistant", reply.text, reply.calls, kept=reply.kept)
    other = ChatMessage("assistant", reply.text, reply.calls, kept=tuple({**k, "model": "n"} for k in reply.kept))

    told, told_other = json.dumps(sent(format, line)), json.dumps(sent(format, other))

    marks = {"chat": "It rains there.", "responses": "c2VjcmV0", "messages": "c2lnbmVk"}
    assert marks[format] in told
    assert format == "chat" or told.index(marks[format]) < told.index("I look.") < told.index("call_1")
    assert marks[format] not in told_other


@FORMAT
def test_a_request_has_instructions_tools_and_the_conversation(format: str) -> None:
    told = sent(
        format,
        ChatMessage("user", "Umbrella?"),
        ChatMessage("assistant", "I look.", CALLS.calls),
        ChatMessage("tool", '"rain"', call_id="call_1", name="weather"),
        ChatMessage("tool", "no such city", call_id="call_2", name="weather", is_error=True),
        ChatMessage("user", "Well?"),
    )

    assert told == SENT[format]


CALL_1, CALL_2 = (json.dumps(call.arguments, separators=(",", ":"), ensure_ascii=False) for call in CALLS.calls)
FUNCTION = {"name": "weather", "description": WEATHER.description}
SENT: dict[str, object] = {
    "chat": {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Umbrella?"},
            {
                "role": "assistant",
                "content": "I look.",
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": CALL_1}},
                    {"id": "call_2", "type": "function", "function": {"name": "weather", "arguments": CALL_2}},
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": '"rain"'},
            {"role": "tool", "tool_call_id": "call_2", "content": "Error: no such city"},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [{"type": "function", "function": {**FUNCTION, "parameters": WEATHER.parameters}}],
    },
    "responses": {
        "model": "m",
        "instructions": "Be brief.",
        "store": False,
        "include": ["reasoning.encrypted_content"],
        "input": [
            {"role": "user", "content": "Umbrella?"},
            {"role": "assistant", "content": "I look."},
            {"type": "function_call", "call_id": "call_1", "name": "weather", "arguments": CALL_1},
            {"type": "function_call", "call_id": "call_2", "name": "weather", "arguments": CALL_2},
            {"type": "function_call_output", "call_id": "call_1", "output": '"rain"'},
            {"type": "function_call_output", "call_id": "call_2", "output": "Error: no such city"},
            {"role": "user", "content": "Well?"},
        ],
        "tools": [{"type": "function", **FUNCTION, "parameters": WEATHER.parameters, "strict": False}],
    },
    "messages": {
        "model": "m",
        "max_tokens": 100,
        "system": "Be brief.",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Umbrella?"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "call_1", "name": "weather", "input": CALLS.calls[0].arguments},
                    {"type": "tool_use", "id": "call_2", "name": "weather", "input": CALLS.calls[1].arguments},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": '"rain"'},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "no such city", "is_error": True},
                    {"type": "text", "text": "Well?"},
                ],
            },
        ],
        "tools": [{**FUNCTION, "input_schema": WEATHER.parameters}],
    },
}


@FORMAT
def test_pictures_go_as_data_or_as_an_address(format: str) -> None:
    pictures = (Image(media_type="image/png", data=b"\x89PNG"), Image(url="https://pictures.example/a.png"))

    told = json.dumps(sent(format, ChatMessage("user", "What is this?", images=pictures)))

    data = '"data": "iVBORw=="' if format == "messages" else "data:image/png;base64,iVBORw=="
    assert data in told
    assert "https://pictures.example/a.png" in told
    assert "What is this?" in told


@FORMAT
def test_a_schema_that_can_be_held_to_is_native(format: str) -> None:
    told = sent(format, ChatMessage("user", "Where?"), output=OutputSchema("place", CLOSED))

    held = {
        "chat": {
            "type": "json_schema",
            "json_schema": {"name": "place", "schema": CLOSED, "strict": True},
        },
        "responses": {"format": {"type": "json_schema", "name": "place", "schema": CLOSED, "strict": True}},
        "messages": {"format": {"type": "json_schema", "schema": CLOSED}},
    }
    field = {"chat": "response_format", "responses": "text", "messages": "output_config"}[format]
    assert told[field] == held[format]


@pytest.mark.parametrize(
    "told",
    [
        ChatFormat(provider="p", model="m", native_output=False),
        ResponsesFormat(provider="p", model="m", native_output=False),
        MessagesFormat(provider="p", model="m", max_output_tokens=9, native_output=False),
        MessagesFormat(provider="p", model="m", max_output_tokens=9),
    ],
    ids=["chat", "responses", "messages", "messages, an open schema"],
)
def test_a_model_that_cannot_be_held_to_a_schema_is_told(told: ChatFormat | ResponsesFormat | MessagesFormat) -> None:
    wish = ModelRequest("m", "", (ChatMessage("user", "Where?"),), (), OutputSchema("place", {"type": "object"}))

    text = json.dumps(told.body(wish))

    assert "Answer with nothing but one JSON value" in text
    assert "json_schema" not in text


@pytest.mark.parametrize("id", ["call-3.1", "call-1.2'", "x" * 65, "ä"])
def test_an_id_that_providers_refuse_is_another_on_the_wire_the_same_for_call_and_result(id: str) -> None:
    call = ToolCall(id, "weather", {})
    lines = (ChatMessage("assistant", "", (call,)), ChatMessage("tool", "1", call_id=id, name="weather"))

    for format in FORMATS:
        assert json.dumps(sent(format, *lines)).count(f'"{call_id(id)}"') == 2
    assert call_id(id) != call_id(id + "x")


def test_empty_lines_are_none_that_the_provider_refuses() -> None:
    told = sent("messages", ChatMessage("user", ""), ChatMessage("assistant", " "), ChatMessage("user", "x"))

    assert told["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "(nothing)"}]},
        {"role": "user", "content": [{"type": "text", "text": "x"}]},
    ]


def test_a_conversation_with_calls_names_their_tools_also_when_none_may_be_called() -> None:
    lines = (
        ChatMessage("assistant", "", CALLS.calls),
        ChatMessage("tool", "1", call_id="call_1", name="weather"),
        ChatMessage("tool", "2", call_id="call_2", name="weather"),
    )

    told = json.loads(json.dumps(form("messages").body(ModelRequest("m", "", lines, ()))))

    assert told["tools"] == [{"name": "weather", "input_schema": {"type": "object"}}]
    assert told["tool_choice"] == {"type": "none"}
    assert [turn["role"] for turn in told["messages"]] == ["user", "assistant", "user"]
    assert "tools" not in form("messages").body(ModelRequest("m", "", (ChatMessage("user", "?"),), ()))


async def test_calls_that_an_endpoint_does_not_number_stay_apart() -> None:
    used, sdk = played("chat")
    parts = (
        {"id": "a", "function": {"name": "f", "arguments": '{"x": '}},
        {"function": {"arguments": "1}"}},
        {"id": "b", "function": {"name": "g", "arguments": ""}},
    )
    chunks = [{"choices": [{"delta": {"tool_calls": [part]}}]} for part in parts]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})  # type: ignore[dict-item]  # an end
    sdk.pieces = [f"data: {json.dumps(chunk)}\n\n".encode() for chunk in chunks]

    _, reply = await ended(used, stream=True)

    assert isinstance(reply, ModelReply)
    assert reply.calls == (ToolCall("a", "f", {"x": 1}), ToolCall("b", "g", {}))
    assert (reply.stop, reply.usage) == ("tool_calls", None)


PARTS: list[dict[str, object]] = [{"type": "thinking", "thinking": []}, {"type": "text", "text": "Ja."}]


@WAYS
async def test_an_endpoint_may_give_its_text_in_parts_and_not_say_why_it_finished(stream: bool) -> None:
    used, sdk = played("chat")
    whole = json.dumps({"choices": [{"message": {"content": PARTS}}]}).encode()
    pieces = f"data: {json.dumps({'choices': [{'delta': {'content': PARTS}}]})}\n\ndata: [DONE]\n\n".encode()
    sdk.pieces = (pieces if stream else whole,)

    text, reply = await ended(used, stream=stream)

    assert isinstance(reply, ModelReply), reply
    assert (text, reply.text, reply.stop) == ("Ja." if stream else "", "Ja.", "stop")


@WAYS
async def test_a_reply_that_the_endpoint_broke_off_is_incomplete(stream: bool) -> None:
    used, sdk = played("chat")
    said = Said(text="And then", stop="error")
    sdk.pieces = (streamed("chat", said) if stream else json.dumps(body("chat", said)).encode(),)

    _, error = await ended(used, stream=stream)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("incomplete", True)


async def test_a_turn_that_is_paused_is_incomplete() -> None:
    used, sdk = played("messages")
    sdk.pieces = (json.dumps({**body("messages", PLAIN), "stop_reason": "pause_turn"}).encode(),)

    _, error = await ended(used)

    assert isinstance(error, ModelError)
    assert (error.kind, error.retryable) == ("incomplete", False)


async def test_a_last_event_without_its_items_has_those_that_came() -> None:
    used, sdk = played("responses")
    whole = streamed("responses", CALLS)
    head, _, _ = whole.rpartition(b"event: ")
    last = {"type": "response.completed", "response": {**body("responses", CALLS), "output": []}}
    sdk.pieces = (head + f"data: {json.dumps(last)}\n\n".encode(),)

    _, reply = await ended(used, stream=True)

    assert isinstance(reply, ModelReply)
    assert reply.calls == CALLS.calls


def test_the_estimate_bounds_the_request_and_leaves_the_bytes_of_pictures_out() -> None:
    used, _ = played("chat")
    picture = Image(media_type="image/png", data=b"x" * 1_000_000)
    seen = ModelRequest("m", "", (ChatMessage("user", "?", images=(picture,)),), ())

    plain, pictured = used.estimate(ASKED), used.estimate(seen)

    assert 100 < plain.input_tokens < 400
    assert plain.output_tokens == 16_384
    assert plain.cost_usd == pytest.approx((plain.input_tokens * 2.0 + 16_384 * 8.0) / 1_000_000)
    assert 1_600 < pictured.input_tokens < 1_700
