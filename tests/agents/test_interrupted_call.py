"""What a person is shown of a call of unknown outcome, and what they may say of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.agent import Agent
from choragus.agents.errors import AgentError, ToolFault
from choragus.agents.limits import Limits
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.tool import Tool, ToolContext, tool

from .cli_clerk import command
from .play import Mortal, call, calls, data, eventually, killed_while_it_runs, live, once, scripted, until

LOOKED: list[str] = []


@tool(risk="read")
async def find_payment(key: str) -> str:
    """Look a payment up by its key."""
    LOOKED.append(key)
    return f"none under {key.partition('/')[2]}"


@tool(risk="read")
async def broken_look(key: str) -> str:
    """Fail."""
    raise OSError("no line")


def pay_tool(check: Tool | str) -> Tool:
    """An irreversible tool that is cut off."""

    @tool(risk="irreversible", timeout=0.05, check=check)
    async def pay(amount: int, *, context: ToolContext) -> dict[str, int]:
        """Pay an amount."""
        await asyncio.sleep(3600)
        return {"paid": amount}

    return pay


async def cut_off(runtime: Runtime, agent: Agent) -> Run:
    """Its run, once the outcome of its call is unknown."""
    run = await runtime.start(agent, "Go.", key="k")
    await until(run, "approval.requested")
    await run.approve((await run.pending())[0], by="me")
    await until(run, "call.unknown")
    return run


@simulated(seeds=range(2))
async def test_it_shows_intent_arguments_key_and_how_to_check() -> None:
    agent = once(pay_tool("ask the bank: +47 1234"), amount=5)
    async with Runtime(agents=[agent]) as runtime:
        run = await cut_off(runtime, agent)

        (unknown,) = await run.unknown()

        assert (unknown.tool, unknown.arguments, unknown.check) == ("pay", {"amount": 5}, "ask the bank: +47 1234")
        assert (unknown.idempotency_key, unknown.found) == (f"{run.id}/1.1", "")


@pytest.mark.parametrize(
    ("check", "found"),
    [(find_payment, '"none under 1.1"'), (broken_look, "broken_look failed: OSError: no line")],
    ids=["found", "failed"],
)
@simulated(seeds=range(2))
async def test_a_tool_that_reads_looks_it_up_and_a_person_decides(check: Tool, found: str) -> None:
    agent = once(pay_tool(check), amount=5)
    async with Runtime(agents=[agent]) as runtime:
        run = await cut_off(runtime, agent)
        await eventually(run, "call.checked")

        (unknown,) = await run.unknown()

        assert (unknown.check, unknown.found) == (f"{check.name} looks it up by its key", found)
        assert unknown.reason == "pay took longer than 0.05 s and was cancelled"
        assert (await run.status()).status.value == "waiting"


def test_after_a_kill_it_is_looked_up_with_the_key_of_the_call() -> None:
    keys: list[str] = []
    LOOKED.clear()

    @tool(risk="irreversible", check=find_payment)
    async def pay(*, context: ToolContext) -> str:
        """Pay."""
        keys.append(context.idempotency_key)
        await asyncio.sleep(3600)
        return "never"

    store = Mortal()
    agent, key = killed_while_it_runs(pay, keys, store)

    async def second_life(runtime: Runtime) -> str:
        run = await runtime.start(agent, "Go.", key="k")
        await eventually(run, "call.checked")
        return (await run.unknown())[0].found

    assert live(store, agent, second_life) == '"none under 1.1"'
    assert [key] == LOOKED


@pytest.mark.parametrize(
    ("result", "fits"), [('{"paid": 5}', True), ("", True), ('{"paid": "5"}', False), ("paid 5", False)]
)
@simulated(seeds=range(2))
async def test_its_result_must_fit_the_return_type(result: str, fits: bool) -> None:
    agent = once(pay_tool(""), amount=5)
    async with Runtime(agents=[agent]) as runtime:
        run = await cut_off(runtime, agent)

        if fits:
            await run.settle("1.1", "happened", by="me", result=result)
            assert await run.result(timeout=5) == "done"
        else:
            with pytest.raises(AgentError, match=r"^the result of tool 'pay' does not fit .*: give its result as JSON"):
                await run.settle("1.1", "happened", by="me", result=result)
            assert len(await run.unknown()) == 1
            assert len(await data(run, "settle.refused")) == 1


def takes_more(key: str, more: str) -> str:
    """Take more than the key."""
    return key


def writes(key: str) -> str:
    """Write."""
    return key


@pytest.mark.parametrize("check", [tool(risk="read")(takes_more), tool(risk="reversible")(writes), 5])
def test_a_check_that_is_none_is_refused(check: object) -> None:
    def pay() -> str:
        """Pay."""
        return ""

    with pytest.raises(ToolFault, match=r"^check=.* of tool 'pay' does not say whether a call happened: give a text, "):
        tool(risk="irreversible", check=check)(pay)  # type: ignore[call-overload]  # the mistake under test


async def test_the_command_line_shows_how_to_check_and_what_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "runs.db"
    agent = once(pay_tool(find_payment), amount=5)
    async with Runtime(path, agents=[agent]) as runtime:
        run = await cut_off(runtime, agent)
        await eventually(run, "call.checked")

    assert await command("approvals", str(path)) == 0
    assert await command("show", str(path), run.id) == 0

    out = capsys.readouterr().out
    lines = out.splitlines()
    assert "pay: pay took longer than 0.05 s and was cancelled; how to" in out
    assert f"  its idempotency key: {run.id}/1.1" in lines
    assert "  how to check: find_payment looks it up by its key" in lines
    assert '  what the check has found: "none under 1.1"' in lines


@pytest.mark.usefixtures("hurry")
async def test_the_command_line_shows_an_unwinding_that_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def cancel(what: str) -> None:
        raise OSError("no line")

    @tool(risk="reversible", undo=cancel)
    async def book(what: str) -> str:
        """Book."""
        return what

    path = tmp_path / "runs.db"
    agent = scripted(calls(call("book", what="car")), tools=[book], limits=Limits(steps=1))
    async with Runtime(path, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tools=["book"])
        async for _ in run.events():
            pass
        await run.unwind(by="mia")

    assert await command("approvals", str(path)) == 0
    assert await command("show", str(path), run.id) == 0
    assert await command("settle", str(path), run.id, "1.1/undo", "--not", "--by", "mia") == 0

    out = capsys.readouterr().out
    assert "outcome unknown  undo-book: did it happen? 1.1/undo: undo-book failed: OSError: no line; behind" in out
    assert 'granted    only the tools ["book"]' in out
    assert 'unwinding  ["1.1/undo"], by mia' in out
    assert "1.1/undo  stopped  undo-book failed: OSError: no line; still to be" in out
