"""The two models that need no network."""

from __future__ import annotations

import pytest

from choragus.agents.errors import ModelError
from choragus.agents.model import ChatMessage, Model, ModelReply, ModelRequest, Price, ToolCall, Usage, tokens
from choragus.agents.scripted import Answer, FunctionModel, ScriptedModel

PRICE = Price(input_per_million=1.0, output_per_million=10.0)
STATED = Usage(input_tokens=1000, output_tokens=50, cost_usd=0.25)


def request(said: int = 0) -> ModelRequest:
    """A request in which the model has already answered so many times."""
    turns = [ChatMessage("user", "Umbrella?")]
    for number in range(said):
        turns += [
            ChatMessage("assistant", calls=(ToolCall(f"c{number}", "weather", {}),)),
            ChatMessage("tool", "rain", call_id=f"c{number}", name="weather"),
        ]
    return ModelRequest("scripted", "", tuple(turns), ())


@pytest.mark.parametrize(
    "model",
    [pytest.param(ScriptedModel([]), id="scripted"), pytest.param(FunctionModel(lambda _: ""), id="function")],
)
def test_it_is_a_model(model: Model) -> None:
    assert isinstance(model, Model)


async def test_script_replies_by_the_number_of_assistant_messages() -> None:
    model = ScriptedModel(["first", "second", "third"])

    assert (await model.complete(request(said=2))).text == "third"


async def test_script_replies_the_same_to_the_same_request() -> None:
    model = ScriptedModel(["first", "second"])

    replies = [await model.complete(request(said=1)) for _ in range(2)]

    assert [reply.text for reply in replies] == ["second", "second"]


async def test_script_may_hold_whole_replies() -> None:
    call = ToolCall("c1", "weather", {"city": "Bergen"})
    model = ScriptedModel([ModelReply(calls=(call,), usage=STATED, stop="tool_calls")])

    assert await model.complete(request()) == ModelReply(calls=(call,), usage=STATED, stop="tool_calls")


async def test_script_records_what_it_was_asked() -> None:
    model = ScriptedModel(["first", "second"])

    await model.complete(request())
    await model.complete(request(said=1))

    assert model.requests == [request(), request(said=1)]


async def test_script_raises_its_exceptions() -> None:
    model = ScriptedModel([ModelError("busy: try again", retryable=True)])

    with pytest.raises(ModelError, match=r"^busy: try again$") as caught:
        await model.complete(request())

    assert caught.value.retryable


async def test_script_goes_on_behind_an_exception() -> None:
    model = ScriptedModel(["first", ModelError("busy"), ModelError("still busy"), "second"])
    for text in ("busy", "still busy"):
        with pytest.raises(ModelError, match=f"^{text}$"):
            await model.complete(request(said=1))

    assert (await model.complete(request(said=1))).text == "second"


async def test_script_that_is_over_says_so() -> None:
    model = ScriptedModel(["only"], name="actor")

    with pytest.raises(
        ModelError, match=r"^the script of model 'actor' has 1 replies and was asked for number 2: add a reply"
    ) as caught:
        await model.complete(request(said=1))

    assert not caught.value.retryable


async def test_script_is_complete_after_its_last_line() -> None:
    model = ScriptedModel([ModelError("busy"), "first", "second"])
    with pytest.raises(ModelError):
        await model.complete(request())
    await model.complete(request())
    await model.complete(request(said=1))

    model.assert_complete()


async def test_script_of_a_resumed_run_is_complete_after_its_last_line() -> None:
    """What another process already heard, exceptions included, is not asked for again."""
    model = ScriptedModel([ModelError("busy"), "first", "second"])
    await model.complete(request(said=1))

    model.assert_complete()


async def test_script_names_the_lines_that_were_not_said() -> None:
    model = ScriptedModel(["first", "second", "third"])
    await model.complete(request())

    with pytest.raises(
        AssertionError, match=r"^the script of model 'scripted' was left with 2 unsaid: \['second', 'third'\]"
    ):
        model.assert_complete()


async def test_script_names_the_line_behind_an_exception_that_was_not_retried() -> None:
    model = ScriptedModel([ModelError("busy"), "first"])
    with pytest.raises(ModelError):
        await model.complete(request())

    with pytest.raises(AssertionError, match=r"^the script of model 'scripted' was left with 1 unsaid: \['first'\]"):
        model.assert_complete()


def test_script_names_the_exceptions_that_were_not_met() -> None:
    model = ScriptedModel([ModelError("busy")])

    with pytest.raises(AssertionError, match=r"^the script of model 'scripted' was left with 1 unsaid: \[.*busy"):
        model.assert_complete()


async def test_usage_is_counted_by_length_and_priced() -> None:
    model = ScriptedModel(["Yes."], price=PRICE)
    sent, said = tokens(request()), tokens(ModelReply("Yes."))

    reply = await model.complete(request())

    assert reply.usage == Usage(input_tokens=sent, output_tokens=said, cost_usd=(sent + 10 * said) / 1_000_000)


@pytest.mark.parametrize(
    "reply", [pytest.param("Yes.", id="counted"), pytest.param(ModelReply("Yes.", usage=STATED), id="stated")]
)
async def test_script_estimates_what_it_will_use(reply: Answer) -> None:
    model = ScriptedModel([reply], price=PRICE)

    estimate = model.estimate(request())

    assert estimate == (await model.complete(request())).usage


def test_script_that_is_over_estimates_the_input() -> None:
    estimate = ScriptedModel([]).estimate(request())

    assert estimate == Usage(input_tokens=tokens(request()))


async def test_function_sees_the_request() -> None:
    model = FunctionModel(lambda asked: asked.messages[-1].text)

    assert (await model.complete(request(said=1))).text == "rain"


async def test_function_may_be_async() -> None:
    async def answer(asked: ModelRequest) -> ModelReply:
        return ModelReply("Yes.", usage=STATED)

    assert await FunctionModel(answer).complete(request()) == ModelReply("Yes.", usage=STATED)


async def test_function_reply_stays_within_the_estimate() -> None:
    model = FunctionModel(lambda _: "word " * 100, price=PRICE, max_output_tokens=200)

    estimate = model.estimate(request())
    used = (await model.complete(request())).usage

    assert used is not None
    assert used.input_tokens == estimate.input_tokens
    assert used.output_tokens <= estimate.output_tokens == 200
    assert used.cost_usd <= estimate.cost_usd


async def test_function_reply_above_its_maximum_is_an_error() -> None:
    model = FunctionModel(lambda _: "word " * 100, name="chatty", max_output_tokens=100)

    with pytest.raises(
        ModelError, match=r"^model 'chatty' answered with 125 tokens, above its max_output_tokens of 100"
    ):
        await model.complete(request())


async def test_function_that_gives_no_reply_is_an_error() -> None:
    model = FunctionModel(lambda _: None)  # type: ignore[arg-type,return-value]  # the mistake under test

    with pytest.raises(ModelError, match=r"^model 'function' gave back None: its function must return a ModelReply"):
        await model.complete(request())


async def test_function_may_play_a_model_that_fails() -> None:
    def answer(asked: ModelRequest) -> str:
        raise ModelError("overloaded: wait", retryable=True)

    with pytest.raises(ModelError, match=r"^overloaded: wait$"):
        await FunctionModel(answer).complete(request())


def test_function_needs_room_for_a_reply() -> None:
    with pytest.raises(ValueError, match=r"^max_output_tokens is 0: it must be 1 or more$"):
        FunctionModel(lambda _: "", max_output_tokens=0)


def test_function_settings_name_its_maximum() -> None:
    assert FunctionModel(lambda _: "", max_output_tokens=7).settings() == {"max_output_tokens": 7}


async def test_script_as_a_context_checks_that_it_was_said() -> None:
    with ScriptedModel(["only"]) as model:
        await model.complete(request())

    with pytest.raises(AssertionError, match=r"left with 1 unsaid: \['only'\]"), ScriptedModel(["only"]):
        pass


def test_script_as_a_context_lets_another_error_through() -> None:
    with pytest.raises(ZeroDivisionError), ScriptedModel(["never said"]):
        raise ZeroDivisionError
