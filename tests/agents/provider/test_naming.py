"""A model by its name, and what is refused when a model is made: no extra, no key, no such option."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault, SecretFault
from choragus.agents.manifest import manifest
from choragus.agents.model import Model, Price, StreamingModel, TextDelta
from choragus.agents.provider import connection
from choragus.agents.provider.anthropic import AnthropicModel
from choragus.agents.provider.openai import OpenAIModel
from choragus.agents.provider.registry import model_named
from choragus.agents.scripted import ScriptedModel

from .loopback import loopback
from .shape import ASKED, PLAIN, answer
from .wired import KEY, model

pytest.importorskip("openai")
pytest.importorskip("anthropic")

Until = Callable[[Callable[[], object]], Awaitable[None]]


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment has both keys and no base URL."""
    for name in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(f"{name}_API_KEY", KEY)
        monkeypatch.delenv(f"{name}_BASE_URL", raising=False)


async def test_an_agent_takes_models_by_their_names() -> None:
    clerk = Agent(
        "clerk", model="openai:gpt-5-mini", fallbacks=["anthropic:claude-haiku-4-5"], cheaper="openai:gpt-5-nano"
    )

    assert isinstance(clerk.model, OpenAIModel)
    assert isinstance(clerk.fallbacks[0], AnthropicModel)
    assert [each.name for each in (*clerk.models, clerk.last_model)] == ["gpt-5-mini", "claude-haiku-4-5", "gpt-5-nano"]
    assert [each.provider for each in clerk.models] == ["openai", "anthropic"]
    assert isinstance(clerk.model, Model)
    assert isinstance(clerk.model, StreamingModel)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gpt-5-mini", r"^'gpt-5-mini' names no model: give a provider and a model, such as 'openai:gpt-5-mini'$"),
        ("openai:", r"^'openai:' names no model"),
        ("acme:x", r"^'acme:x': no provider 'acme' is known \(there are: anthropic, openai\); for an endpoint that"),
    ],
)
def test_a_name_that_names_none_is_refused(name: str, message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        Agent("clerk", model=name)


def test_fallbacks_that_are_one_text_are_refused() -> None:
    with pytest.raises(AgentFault, match=r"^fallbacks='openai:x' is a text: give a list"):
        Agent("clerk", model=ScriptedModel([]), fallbacks="openai:x")


class _Entry:
    def __init__(self, name: str, made: object) -> None:
        self.name, self.made = name, made

    def load(self) -> object:
        return lambda model: self.made


def test_an_installed_package_may_bring_a_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    made, wrong = ScriptedModel([]), object()
    found = {"acme": _Entry("acme", made), "wrong": _Entry("wrong", wrong)}

    def entries(*, group: str, name: str = "") -> list[_Entry]:
        assert group == "choragus.models"
        return [each for each in found.values() if name in ("", each.name)]

    monkeypatch.setattr(importlib.metadata, "entry_points", entries)

    assert model_named("acme:one") is made
    with pytest.raises(AgentFault, match=r"^'wrong:x': what the installed provider 'wrong' made is .* no Model$"):
        model_named("wrong:x")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_without_a_key_there_is_one_clear_error(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = f"{provider.upper()}_API_KEY"
    monkeypatch.delenv(variable)

    with pytest.raises(AgentFault, match=rf"^'{provider}:m' cannot be had: model 'm' has no API key: set {variable}"):
        Agent("clerk", model=f"{provider}:m")
    with pytest.raises(SecretFault, match=rf"^no secret '{variable}'"):
        OpenAIModel("m") if provider == "openai" else AnthropicModel("m")


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_without_the_extra_there_is_one_clear_error(provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        "choragus.agents.provider.connection.find_spec", lambda name: None if name == provider else find(name)
    )

    with pytest.raises(ImportError, match=rf"^this model needs .*: pip install 'choragus\[{provider}\]'$"):
        Agent("clerk", model=f"{provider}:m")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"interface": "completions"}, r"^interface='completions' of model 'm' must be 'responses' or 'chat'$"),
        ({"structured_output": "no"}, r"^structured_output='no' of model 'm' must be 'native' or 'instructions'$"),
        ({"max_output_tokens": 0}, r"^max_output_tokens=0 is no whole number from 1 up$"),
        ({"max_reply_bytes": True}, r"^max_reply_bytes=True is no whole number from 1 up$"),
        ({"timeout": 0}, r"^timeout=0 of model 'm' is none: give seconds, above 0 and finite$"),
        ({"timeout": None}, r"^timeout=None of model 'm' is none: give seconds"),
        ({"timeout": float("nan")}, r"^timeout=nan of model 'm' is none: give seconds"),
        ({"base_url": "localhost:1"}, r"^base_url='localhost:1' of model 'm' is no address: give one as https://"),
        ({"base_url": "http://me:pass@h:x/v1?key=1"}, r"^base_url='h:x/v1' of model 'm' is no address"),
        ({"base_url": "http://"}, r"^base_url='http://' of model 'm' is no address"),
        ({"base_url": 5}, r"^base_url=5 of model 'm' is none: give a text"),
        ({"api_key": b"sk-1"}, r"^the API key of model 'm' is a bytes: give text$"),
        ({"temperature": "hot"}, r"^temperature='hot' of model 'm' is none: give a finite number, or None$"),
        ({"reasoning_effort": 5}, r"^reasoning_effort=5 of model 'm' is none: give 'low'"),
        ({"extra": 5}, r"^extra=5 of model 'm' is none: give a mapping"),
        ({"price": 0}, r"^price=0 of model 'm' is none: give Price\(...\), which is free without numbers"),
        ({"provider": 5}, r"^provider=5 of model 'm' is none: give at most 256 printable"),
        ({"api_key": "sk-1\nx"}, r"^the API key of model 'm' holds characters that no HTTP header carries$"),
    ],
)
def test_an_option_that_is_none_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        OpenAIModel("m", **options)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("name", [None, "", "\udc80", "m\n"], ids=ascii)
@pytest.mark.parametrize("kind", [OpenAIModel, AnthropicModel])
def test_a_model_has_a_name(kind: type[OpenAIModel] | type[AnthropicModel], name: object) -> None:
    with pytest.raises(ValueError, match=r"^model name .* is none: give 1 to 256 printable characters$"):
        kind(name)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("given", ["2.50", True, [1]], ids=repr)
def test_a_price_is_a_number(given: object) -> None:
    with pytest.raises(ValueError, match=r"^Price.input_per_million is .*: give a finite number, 0 or more$"):
        Price(input_per_million=given)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("thinking", [1_000, 16_384, True, "much"])
def test_thinking_has_its_bounds(thinking: object) -> None:
    with pytest.raises(
        ValueError, match=r"^thinking=.* of model 'm' must be 'adaptive' or a number of tokens from 1024"
    ):
        AnthropicModel("m", thinking=thinking)  # type: ignore[arg-type]  # wrong on purpose
    with pytest.raises(ValueError, match=r"^model 'm' thinks, and then takes no temperature"):
        AnthropicModel("m", thinking="adaptive", temperature=0.5)


def test_a_client_that_is_none_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^client=str is no openai.AsyncOpenAI: pass an asynchronous client$"):
        OpenAIModel("m", client="client")


def test_no_key_stands_in_what_is_shown_or_stored() -> None:
    for made in (
        OpenAIModel("m", base_url="https://me:word@llm.example/v1?key=word", api_key=KEY),
        AnthropicModel("m"),
    ):
        shown = f"{made!r} {made.settings()} {vars(made)} {manifest(Agent('clerk', model=made)).as_dict()}"

        assert KEY not in shown.replace(f"'_secret': '{KEY}'", "")
        assert "word" not in shown
        assert KEY not in f"{made!r} {made.settings()} {manifest(Agent('clerk', model=made)).as_dict()}"


async def test_the_environments_key_is_not_sent_to_an_address_of_the_codes() -> None:
    async with loopback(answer("chat", PLAIN)) as provider:
        anywhere = OpenAIModel("m", base_url=f"{provider.url}/v1", price=Price())

        await anywhere.complete(ASKED)
        await anywhere.release()

    assert provider.asked[0].headers["authorization"] == "Bearer none"


async def test_settings_shape_the_request_and_the_manifest_and_the_price_does_not() -> None:
    options = {"temperature": 0.2, "reasoning_effort": "low", "max_output_tokens": 50, "extra": {"seed": 7}}
    async with loopback(answer("chat", PLAIN)) as provider:
        used = model("chat", provider.url, **options)
        await used.complete(ASKED)
        await used.release()

    sent = provider.asked[0].body
    assert {name: sent[name] for name in ("temperature", "reasoning_effort", "max_tokens", "seed")} == {
        "temperature": 0.2,
        "reasoning_effort": "low",
        "max_tokens": 50,
        "seed": 7,
    }
    assert used.settings() == {
        **options,
        "interface": "chat",
        "base_url": f"{provider.url}/v1",
        "structured_output": "native",
    }


def test_openai_itself_is_asked_by_responses_and_others_by_chat() -> None:
    assert OpenAIModel("m").settings()["interface"] == "responses"
    assert OpenAIModel("m", base_url="http://127.0.0.1:1/v1").settings()["interface"] == "chat"
    assert OpenAIModel("m", base_url="http://127.0.0.1:1/v1").provider == "127.0.0.1"


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_the_users_own_client_is_used_never_retries_and_is_not_closed(format: str) -> None:
    async with loopback(answer(format, PLAIN, status=500), answer(format, PLAIN)) as provider:
        if format == "chat":
            import openai

            own: object = openai.AsyncOpenAI(api_key="mine", base_url=f"{provider.url}/v1", max_retries=5)
            used: OpenAIModel | AnthropicModel = OpenAIModel("m", client=own, price=Price())
        else:
            import anthropic

            own = anthropic.AsyncAnthropic(api_key="mine", base_url=provider.url, max_retries=5)
            used = AnthropicModel("m", client=own, price=Price())
        with pytest.raises(Exception, match="status 500"):
            await used.complete(ASKED)
        reply = await used.complete(ASKED)
        await used.release()

        assert reply.text == PLAIN.text
        assert len(provider.asked) == 2
        assert not own.is_closed()  # type: ignore[attr-defined]  # a client
        await own.close()  # type: ignore[attr-defined]  # the same


async def test_a_client_of_ours_is_closed_behind_the_last_call_and_made_again(until: Until) -> None:
    async with loopback(answer("chat", PLAIN, cut=10, hangs=True), answer("chat", PLAIN)) as provider:
        used = model("chat", provider.url)
        call = asyncio.create_task(used.complete(ASKED))
        await until(lambda: provider.asked)
        await used.release()
        held = used._connection._held

        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        assert not held
        assert (await used.complete(ASKED)).text == PLAIN.text
        await used.release()


@pytest.mark.parametrize("format", ["chat", "messages"])
async def test_who_stops_listening_gives_the_call_up(format: str) -> None:
    whole = answer(format, PLAIN, stream=True)
    async with loopback(answer(format, PLAIN, stream=True, cut=len(whole.body) - 20, hangs=True)) as provider:
        used = model(format, provider.url)
        pieces = used.stream(ASKED)

        first = await anext(pieces)
        await pieces.aclose()  # type: ignore[attr-defined]  # an async generator
        held = next(iter(used._connection._held.values()))
        await used.release()

    assert isinstance(first, TextDelta)
    assert held.calls == 0


def test_one_model_serves_one_loop_after_the_other() -> None:
    async def once() -> None:
        async with loopback(answer("chat", PLAIN)) as provider:
            used._connection._where = made(provider.url)._connection._where
            await used.complete(ASKED)
            await used.release()

    def made(url: str) -> OpenAIModel:
        return OpenAIModel("m", base_url=f"{url}/v1", price=Price())

    used = made("http://127.0.0.1:1")
    for _ in range(2):
        anyio.run(once)

    assert not used._connection._held


async def test_within_a_loop_the_sdk_is_imported_in_a_thread_before_the_first_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    imported: list[tuple[str, bool]] = []

    def watched(name: str) -> object:
        imported.append((name.rpartition(".")[2], threading.current_thread() is threading.main_thread()))
        return importlib.import_module(name)

    monkeypatch.setattr(connection, "import_module", watched)
    async with loopback(answer("chat", PLAIN)) as provider:
        used = model("chat", provider.url)
        assert imported == []

        await used.complete(ASKED)
        await used.complete(ASKED)
        await used.release()

    assert imported == [("openai_sdk", False)]


@pytest.mark.slow
def test_importing_the_agents_imports_no_sdk_and_a_loop_does_not_wait_for_one() -> None:
    script = """
import sys, asyncio, os, threading
import choragus.agents
from choragus.agents import OpenAIModel, ModelError, ModelRequest
heavy = ("openai", "anthropic", "httpx2", "pydantic", "genai_prices")
assert not [name for name in heavy if name in sys.modules], "at import"
async def main():
    model = OpenAIModel("m", base_url="http://127.0.0.1:9/v1")
    assert not [name for name in heavy if name in sys.modules], "in the loop"
    beats = []
    async def beat():
        while True:
            beats.append(1); await asyncio.sleep(0.01)
    task = asyncio.create_task(beat())
    try:
        await model.complete(ModelRequest('m', '', (), ()))
    except ModelError as error:
        assert error.kind == 'connection', error
    task.cancel()
    assert "openai" in sys.modules and len(beats) > 3, len(beats)
asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)

    assert done.returncode == 0, done.stderr


def test_no_entry_point_of_ours_is_needed() -> None:
    assert not importlib.metadata.entry_points(group="choragus.models")
