"""What a runtime gives its tools: resources that are never stored, and secrets that never get out."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from attrs import frozen

from choragus.actors.testing.simulation import simulated
from choragus.agents.errors import AgentFault, SecretFault
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool
from choragus.agents.toolbelt.secret import Secrets, Vault

from .play import Mortal, call, calls, live, once, scripted


@frozen
class Bank:
    """A resource."""

    name: str


@tool(risk="read")
async def balance(*, context: ToolContext[Bank]) -> str:
    """Look at the balance."""
    return f"{context.resources.name} {context.call} {context.attempt}"


@tool(risk="read")
async def anything(*, context: ToolContext) -> bool:
    """Look whether there is anything."""
    return context.resources is not None


@simulated(seeds=range(2))
async def test_a_tool_gets_the_resources_of_its_runtime() -> None:
    agent = scripted(calls(call("balance"), call("anything")), "done", tools=[balance, anything])
    async with Runtime(agents=[agent], resources=Bank("Nordbank")) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    assert [one.text for one in agent.model.requests[-1].messages[-2:]] == [  # type: ignore[attr-defined]
        '"Nordbank 1.1 1"',
        "true",
    ]


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        (None, r"^tool 'balance' of agent 'clerk' wants ToolContext\[Bank\], and the runtime has no resources: pass R"),
        ("Nordbank", r"wants ToolContext\[Bank\], and the runtime's resources are a str: pass a Bank$"),
    ],
)
def test_a_runtime_without_the_resources_of_a_tool_is_refused(resources: object, message: str) -> None:
    with pytest.raises(AgentFault, match=message):
        Runtime(agents=[once(balance)], resources=resources)


def test_the_resources_of_an_undo_are_looked_at_too() -> None:
    def take_back(*, context: ToolContext[Bank]) -> None:
        raise NotImplementedError

    @tool(risk="reversible", undo=take_back)
    def pay() -> str:
        """Pay."""
        return "paid"

    with pytest.raises(AgentFault, match=r"^tool 'undo-pay' of agent 'clerk' wants ToolContext\[Bank\]"):
        Runtime(agents=[once(pay)])


def test_resources_are_those_of_the_life_that_a_call_runs_in() -> None:
    agent, store = once(balance), Mortal()

    async def first_life(runtime: Runtime) -> None:
        run = await runtime.start(agent, "Go.", key="k")
        store.kill()
        await run.result(timeout=5)

    async def second_life(runtime: Runtime) -> str:
        return await (await runtime.start(agent, "Go.", key="k")).result(timeout=5)

    assert live(store, agent, first_life, resources=Bank("Nordbank")) is None
    store.revive()

    assert live(store, agent, second_life, resources=Bank("Sydbank")) == "done"
    text = agent.model.requests[-1].messages[-1].text  # type: ignore[attr-defined]  # a ScriptedModel
    assert text.startswith('"Sydbank 1.1')


# Secrets.

KEY = 'sk-ant-api03-Zm9v/+bar"=?&\u00e9\nqux'
"""Holds what JSON, URLs and base64 each write in another way."""

SHAPES = [
    KEY,
    "sk-proj-4f9a8c0d1e2f",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
    "postgres://clerk:pa55word@db.example/ledger",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----",
]

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda value: value,
    "repr": repr,
    "json": json.dumps,
    "json twice": lambda value: json.dumps(json.dumps(value)),
    "json, unicode": lambda value: json.dumps(value, ensure_ascii=False),
    "url": lambda value: quote(value, safe=""),
    "url, lower": lambda value: quote(value, safe="").lower() if value.islower() else quote(value),
    "hexadecimal": lambda value: value.encode().hex(),
    "base64": lambda value: base64.b64encode(value.encode()).decode(),
    "base64 behind a name": lambda value: base64.b64encode(f"clerk:{value}".encode()).decode(),
    "base64 in the middle": lambda value: base64.urlsafe_b64encode(f"a{value}zz".encode()).decode(),
}


def leaves_nothing(text: str, value: str) -> bool:
    """Whether no eight characters in a row of the value, or of its base64, are left."""
    pieces = [value, base64.b64encode(value.encode()).decode(), value.encode().hex(), quote(value, safe="")]
    return not any(piece[at : at + 8] in text for piece in pieces for at in range(len(piece) - 7))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("form", FORMS)
def test_s41_a_secret_is_taken_out_however_it_is_written(shape: str, form: str) -> None:
    vault = Vault({"bank": shape})
    vault.check(["bank"])

    text = vault.scrubbed(f"before {FORMS[form](shape)} behind")

    assert text.startswith("before ")
    assert text.endswith(" behind")
    assert "[secret bank]" in text
    assert leaves_nothing(text, shape)


def leaky() -> list[Tool]:
    """Tools that let a secret out, each in another way."""

    @tool(risk="read", secrets=("bank",))
    async def gives(*, context: ToolContext) -> dict[str, str]:
        """Give it back."""
        key = context.secret("bank")
        return {"key": key, "header": "Basic " + base64.b64encode(f"clerk:{key}".encode()).decode()}

    @tool(risk="read", secrets=("bank",))
    def raises(*, context: ToolContext) -> str:
        """Raise it."""
        try:
            raise ValueError(context.secret("bank"))
        except ValueError as error:
            raise RuntimeError(f"401 for https://bank.example/?key={quote(context.secret('bank'))}") from error

    @tool(risk="reversible", secrets=("bank",), timeout=0.05)
    async def garbage(*, context: ToolContext) -> int:
        """Give back something else."""
        return context.secret("bank")  # type: ignore[return-value]  # the mistake under test

    return [gives, raises, garbage]


def bytes_of(folder: Path) -> bytes:
    """All that the files of a folder hold."""
    return b"".join(one.read_bytes() for one in folder.iterdir())


async def test_s41_a_secret_is_in_no_byte_of_the_file(tmp_path: Path) -> None:
    agent = scripted(calls(call("gives"), call("raises"), call("garbage")), "done", tools=leaky())
    path = tmp_path / "runs.db"
    async with Runtime(path, agents=[agent], secrets={"bank": lambda: KEY}) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(timeout=10)
        written = bytes_of(tmp_path)

    told = [one.text for one in agent.model.requests[-1].messages[-3:]]  # type: ignore[attr-defined]  # a ScriptedModel
    for text in (*told, written.decode("latin-1")):
        assert leaves_nothing(text, KEY)
    assert told[0].startswith('{"key":"[secret bank]","header":"Basic ')
    assert "401 for https://bank.example/?key=[secret bank]" in told[1]


async def test_s41_a_secret_that_a_model_says_is_in_no_byte_of_the_file(tmp_path: Path) -> None:
    agent = scripted(f"It is {KEY}.", tools=leaky())
    async with Runtime(tmp_path / "runs.db", agents=[agent], secrets={"bank": lambda: KEY}) as runtime:
        run = await runtime.start(agent, "Go.")
        result = await run.result(timeout=10)
        written = bytes_of(tmp_path)

    assert result == "It is [secret bank]."
    assert leaves_nothing(written.decode("latin-1"), KEY)


@simulated(seeds=range(2))
async def test_a_tool_has_only_the_secrets_that_it_declares() -> None:
    @tool(risk="read")
    async def curious(*, context: ToolContext) -> str:
        """Ask for a secret."""
        return context.secret("bank")

    agent = once(curious)
    async with Runtime(agents=[agent], secrets={"bank": KEY}) as runtime:
        await (await runtime.start(agent, "Go.")).result(timeout=5)

    assert agent.model.requests[-1].messages[-1].text == (  # type: ignore[attr-defined]  # a ScriptedModel
        "curious failed: SecretFault: no secret 'bank': tool 'curious' has not declared it: write secrets=('bank',)"
    )


@pytest.mark.parametrize("secrets", [5, KEY, [KEY]], ids=["number", "text", "list"])
def test_secrets_are_a_mapping_or_a_function(secrets: object) -> None:
    with pytest.raises(SecretFault, match=r"secrets is a (int|str|list): give a mapping of names, or a function$") as e:
        Runtime(agents=[scripted("done")], secrets=secrets)  # type: ignore[arg-type]  # that is the point

    assert KEY not in str(e.value)


def broken(name: str) -> str:
    """Fail with the value in the error."""
    raise ValueError(KEY)


@pytest.mark.parametrize(
    ("secrets", "message"),
    [
        pytest.param(None, r"^no secret 'bank': it cannot be had: give it in Runtime\(secrets={...}\)$", id="none"),
        pytest.param({"other": KEY}, "cannot be had", id="another"),
        pytest.param(broken, "cannot be had", id="error"),
        pytest.param({"bank": "short"}, "^no secret 'bank': it has 5 characters, and 6 are the least", id="short"),
        pytest.param({"bank": 5}, "^no secret 'bank': it is a int: give text$", id="no text"),
    ],
)
async def test_a_runtime_without_a_declared_secret_does_not_open(secrets: Secrets, message: str) -> None:
    agent = scripted("done", tools=leaky())

    with pytest.raises(SecretFault, match=message) as caught:
        async with Runtime(agents=[agent], secrets=secrets):
            raise AssertionError("it has opened")

    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__


def test_s41_nothing_that_holds_a_secret_shows_it() -> None:
    vault = Vault({"bank": KEY})
    vault.check(["bank"])
    context: ToolContext[object] = ToolContext(
        run="r", call="1.1", idempotency_key="r/1.1", resources=KEY, secret=vault.value
    )

    assert KEY not in f"{vault!r} {context!r} {context}"
    assert context.secret("bank") == KEY


def test_a_context_made_by_hand_has_no_secrets() -> None:
    context: ToolContext[object] = ToolContext(run="r", call="1.1", idempotency_key="r/1.1")

    with pytest.raises(SecretFault, match=r"^no secret 'bank': this context was made by hand"):
        context.secret("bank")


def test_a_secret_that_changes_is_taken_out_old_and_new() -> None:
    values = iter(["old-value", "new-value"])
    vault = Vault(lambda name: next(values))
    vault.value("bank")
    vault.value("bank")

    assert vault.scrubbed("old-value new-value") == "[secret bank] [secret bank]"
