"""What can be put together to an agent, and what cannot."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import (
    AgentError,
    AgentFault,
    BadArguments,
    BadResult,
    Cancelled,
    Denied,
    Failed,
    LimitReached,
    ModelError,
    Outcome,
    UnknownRun,
    Waiting,
)
from choragus.agents.limits import Limits
from choragus.agents.prompt import Prompt
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import tool
from choragus.mailbox.errors import ChoragusError

MODEL = ScriptedModel([])


@tool(risk="read")
def weather(city: str) -> str:
    """Today's weather in a city."""
    return "rain"


@tool(risk="read", name="weather")
def forecast(city: str) -> str:
    """Tomorrow's weather in a city."""
    return "rain"


def test_an_agent_needs_a_name_and_a_model() -> None:
    agent = Agent("helper", model=MODEL)

    assert (agent.prompt, agent.tools, agent.limits) == (Prompt(""), (), Limits())


def test_a_text_stands_for_a_prompt() -> None:
    assert Agent("helper", model=MODEL, prompt="Be brief.").prompt == Prompt("Be brief.")


def test_a_prompt_stays_itself() -> None:
    prompt = Prompt("Be brief.", name="brief", version="2")

    assert Agent("helper", model=MODEL, prompt=prompt).prompt is prompt


def test_tools_may_be_a_list() -> None:
    assert Agent("helper", model=MODEL, tools=[weather]).tools == (weather,)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        pytest.param(
            lambda: Agent("two words", model=MODEL),
            r"^'two words' is no name for an agent: give 1 to 64 letters, digits",
            id="name",
        ),
        pytest.param(lambda: Agent("", model=MODEL), r"^'' is no name for an agent: give", id="empty-name"),
        pytest.param(lambda: Agent("x" * 65, model=MODEL), r"^'x{65}' is no name for an agent: give", id="long-name"),
        pytest.param(
            lambda: Agent("x\n", model=MODEL), r"^'x\\n' is no name for an agent: give", id="name-with-line-end"
        ),
        pytest.param(
            lambda: Agent(7, model=MODEL),  # type: ignore[arg-type]  # the mistake under test
            r"^7 is no name for an agent: give",
            id="name-of-a-wrong-type",
        ),
        pytest.param(
            lambda: Agent("clerk", model="gpt-5-mini"),
            r"^'gpt-5-mini' names no model: give a provider and a model, such as 'openai:gpt-5-mini'$",
            id="model-as-text",
        ),
        pytest.param(
            lambda: Agent("clerk", model=None),  # type: ignore[arg-type]  # the mistake under test
            r"^the model of agent 'clerk' is None: pass a Model such as FunctionModel",
            id="model-of-a-wrong-type",
        ),
        pytest.param(
            lambda: Agent("clerk", model=ScriptedModel),  # type: ignore[arg-type]  # the mistake under test
            r"^the model of agent 'clerk' is <class .*ScriptedModel'>: pass a Model",
            id="model-class",
        ),
        pytest.param(
            lambda: Agent("clerk", model=MODEL, prompt=7),  # type: ignore[arg-type]  # the mistake under test
            r"^the prompt of agent 'clerk' is 7: give a str or a Prompt$",
            id="prompt",
        ),
        pytest.param(
            lambda: Agent("clerk", model=MODEL, tools=[len]),  # type: ignore[list-item]  # the mistake under test
            r"^the tool <built-in function len> of agent 'clerk' is no Tool: put @tool\(risk=\.\.\.\) above",
            id="bare-function",
        ),
        pytest.param(
            lambda: Agent("clerk", model=MODEL, tools=weather),  # type: ignore[arg-type]  # the mistake under test
            r"^the tools of agent 'clerk' are FunctionTool\(.*: give a list of tools$",
            id="one-tool-without-a-list",
        ),
        pytest.param(
            lambda: Agent("clerk", model=MODEL, tools=[weather, forecast]),
            r"^agent 'clerk' has several tools named 'weather': give all but one another name=$",
            id="two-tools-of-one-name",
        ),
        pytest.param(
            lambda: Agent("clerk", model=MODEL, limits=30),  # type: ignore[arg-type]  # the mistake under test
            r"^the limits of agent 'clerk' are 30: give Limits\(\.\.\.\)$",
            id="limits",
        ),
        (lambda: Agent("helper", model=MODEL, episodes="yes"), r"^episodes='yes' of agent 'helper' is neither True"),  # type: ignore[arg-type]  # under test
        (lambda: Agent("helper", model=MODEL, configured="a.toml"), r"^configured='a.toml' of .* is no ConfigSource: "),  # type: ignore[arg-type]  # under test
    ],
)
def test_a_wrong_part_is_named_with_its_remedy(wrong: Callable[[], Agent], message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        wrong()


def test_the_digest_is_the_first_12_digits_of_the_sha256() -> None:
    assert Prompt("Be brief.").digest == hashlib.sha256(b"Be brief.").hexdigest()[:12]


def test_the_digest_looks_at_the_text_alone() -> None:
    assert Prompt("Be brief.", name="a", version="1").digest == Prompt("Be brief.", name="b").digest


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("Sei knapp, bitte schön.\nDanke.\n".encode(), id="plain"),
        pytest.param("Sei knapp, bitte schön.\r\nDanke.\r\n".encode(), id="line-ends-of-windows"),
        pytest.param("\ufeffSei knapp, bitte schön.\nDanke.\n".encode(), id="byte-order-mark"),
    ],
)
def test_a_prompt_file_is_its_text_and_its_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clerk.md"
    path.write_bytes(content)

    assert Prompt.from_file(path) == Prompt("Sei knapp, bitte schön.\nDanke.\n", name="clerk.md")


def test_a_prompt_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    path = tmp_path / "clerk.md"
    path.write_bytes(b"\xff\xfe\x00")

    with pytest.raises(AgentFault, match=r"^prompt file '.*clerk\.md' is not UTF-8 \(.*\): save it as UTF-8$"):
        Prompt.from_file(path)


def test_a_prompt_of_no_text_is_refused() -> None:
    with pytest.raises(
        AgentFault, match=r"^Prompt\(text=7\) is no text: give a str, or use Prompt\.from_file\(path\)$"
    ):
        Prompt(7)  # type: ignore[arg-type]  # the mistake under test


ERRORS = [
    pytest.param(ModelError("busy: wait", retryable=True), "busy: wait", id="model"),
    pytest.param(
        BadArguments("weather", "Expected `str`, got `int` - at `$.city`", ("city", "days")),
        "bad arguments for tool 'weather': Expected `str`, got `int` - at `$.city`; it takes city, days: "
        "call it again as its schema says",
        id="arguments",
    ),
    pytest.param(
        BadResult("weather", "object", "unsupported"),
        "tool 'weather' gave back a object that cannot be written as JSON (unsupported): return text, numbers, lists, "
        "dictionaries, dates, enums, or attrs classes and dataclasses of these",
        id="result",
    ),
    pytest.param(
        UnknownRun("7f3a", "runs.db"),
        "no run '7f3a' in runs.db: list the runs with `choragus runs FILE` or Runtime.runs()",
        id="unknown-run",
    ),
    pytest.param(LimitReached("7f3a", "steps: raise"), "run '7f3a' reached a limit: steps: raise", id="limit"),
    pytest.param(Denied("7f3a", "by bob"), "run '7f3a' was denied: by bob", id="denied"),
    pytest.param(Cancelled("7f3a", "by bob"), "run '7f3a' was cancelled: by bob", id="cancelled"),
    pytest.param(Failed("7f3a", "no model"), "run '7f3a' failed: no model", id="failed"),
    pytest.param(Waiting("7f3a", "no word in 5 s"), "run '7f3a' is still waiting: no word in 5 s", id="waiting"),
]


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_says_what_happened(error: AgentError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_survives_another_process(error: AgentError, text: str) -> None:
    copy = pickle.loads(pickle.dumps(error))

    assert (type(copy), str(copy), vars(copy)) == (type(error), text, vars(error))


@pytest.mark.parametrize(("error", "text"), ERRORS)
def test_an_error_is_one_of_ours(error: Exception, text: str) -> None:
    assert isinstance(error, AgentError)
    assert isinstance(error, ChoragusError)


def test_waiting_is_a_timeout() -> None:
    assert issubclass(Waiting, TimeoutError)
    assert issubclass(Waiting, Outcome)
