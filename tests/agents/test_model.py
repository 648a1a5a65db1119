"""The data that is sent to a model and comes back."""

from __future__ import annotations

import math

import pytest
from attrs import frozen

from choragus.agents.model import (
    ChatMessage,
    Image,
    ModelReply,
    ModelRequest,
    Price,
    ToolCall,
    ToolSchema,
    Usage,
    tokens,
)
from choragus.mailbox.codec import decode, encode, stored

CALL = ToolCall("c1", "weather", {"city": "Bergen", "days": [1, None, {"hour": 2.5}]})
REQUEST = ModelRequest(
    "m",
    "Be brief.",
    (
        ChatMessage("user", "Umbrella?"),
        ChatMessage("assistant", calls=(CALL,)),
        ChatMessage("tool", "rain", call_id="c1", name="weather", is_error=True),
    ),
    (ToolSchema("weather", "Today's weather.", {"type": "object", "properties": {"city": {"type": "string"}}}),),
)


@stored("test.agents.exchange")
@frozen
class Exchange:
    """A request and its reply, as a message of the runtime would hold them."""

    request: ModelRequest
    reply: ModelReply


def test_a_stored_exchange_comes_back_equal() -> None:
    reply = ModelReply("", (CALL,), Usage(input_tokens=3, output_tokens=1, cost_usd=0.5), "tool_calls")
    exchange = Exchange(REQUEST, reply)

    assert decode(encode(exchange)) == exchange


def test_a_stored_reply_without_usage_comes_back_without() -> None:
    exchange = Exchange(REQUEST, ModelReply("Yes."))

    assert decode(encode(exchange)) == exchange


def test_total_tokens_are_input_and_output() -> None:
    assert Usage(input_tokens=7, output_tokens=5).total_tokens == 12


@pytest.mark.parametrize(
    ("usage", "dollars"),
    [
        pytest.param(Usage(), 0.0, id="nothing"),
        pytest.param(Usage(input_tokens=1_000_000), 2.0, id="input"),
        pytest.param(Usage(output_tokens=500_000), 4.0, id="output"),
        pytest.param(Usage(input_tokens=1_000_000, output_tokens=500_000, cost_usd=99.0), 6.0, id="ignores-own-cost"),
    ],
)
def test_price_counts_per_million_tokens(usage: Usage, dollars: float) -> None:
    price = Price(input_per_million=2.0, output_per_million=8.0)

    assert price.cost(usage) == dollars


def test_priced_fills_the_cost_in() -> None:
    price = Price(input_per_million=1.0, output_per_million=2.0)

    usage = price.priced(1_000_000, 500_000)

    assert usage == Usage(input_tokens=1_000_000, output_tokens=500_000, cost_usd=2.0)


def test_price_is_free_by_default() -> None:
    assert Price().cost(Usage(input_tokens=10**9, output_tokens=10**9)) == 0


@pytest.mark.parametrize("value", [pytest.param(-1, id="negative"), pytest.param(math.nan, id="nan")])
def test_a_usage_that_could_mend_a_budget_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"^Usage\.cost_usd is (-1|nan), below 0 or not finite: give a finite number"):
        Usage(cost_usd=value)


def test_a_negative_price_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Price\.output_per_million is -0\.5, below 0 or not finite: give"):
        Price(output_per_million=-0.5)


def test_tokens_are_a_quarter_of_the_characters_that_are_said() -> None:
    calls = (ToolCall("1", "look", {"at": "b"}),)

    assert tokens(ModelReply("x" * 400)) == 100
    said = 'x[{"id":"1","name":"look","arguments":{"at":"b"}}]'
    assert tokens(ModelReply("x", calls)) == math.ceil(len(said) / 4)


def test_a_picture_counts_as_many_tokens() -> None:
    picture = Image(media_type="image/png", data=b"x" * 1_000_000)
    request = ModelRequest("m", "", (ChatMessage("user", "look", images=(picture,)),), ())

    assert tokens(request) == 1_602


def test_tokens_count_characters_and_not_bytes() -> None:
    assert tokens(ModelReply("å" * 40)) == tokens(ModelReply("a" * 40))
