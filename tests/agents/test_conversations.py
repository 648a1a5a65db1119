"""Threads: conversations by name, over many runs, kept over pruning, crashes and kills, and read by people."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents import following
from choragus.agents.agent import Agent
from choragus.agents.cli.exit import Exit
from choragus.agents.conversation import LONGEST_NAME
from choragus.agents.errors import AgentFault, Cancelled, UnknownThread
from choragus.agents.fork import whole_conversation
from choragus.agents.model import ChatMessage, ModelRequest
from choragus.agents.policy import Check, Deny, Stage, Verdict
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store

from .cli_clerk import command
from .play import Ledger, Mortal, Rule, answering, call, calls, live, soon, tools

Printed = pytest.CaptureFixture[str]

TEXTS = ("one", "two", "three", "four")


def echo(request: ModelRequest) -> Answer:
    """Answer with the last line."""
    return f"to {request.messages[-1].text}"


async def lines(runtime: Runtime, name: str | Run) -> list[str]:
    """What was said."""
    return [line.text async for line in (await runtime.thread(name)).history()]


@pytest.mark.parametrize("name", ["alice", "\x00 zoë/..\n", "x" * LONGEST_NAME], ids=["plain", "odd", "long"])
async def test_a_thread_goes_on_under_its_name_with_every_line_once(name: str) -> None:
    store, agent = MemoryStore(), answering(echo)
    for number in range(3):
        async with Runtime(store=store, agents=[agent]) as runtime:
            run = await runtime.start(agent, str(number), thread=name)
            assert await run.result(5) == f"to {number}"

            thread = await runtime.thread(name)
            assert await lines(runtime, name) == [one for n in range(number + 1) for one in (str(n), f"to {n}")]
            assert [one.name for one in await thread.runs()] == [name] * (number + 1)
            assert (await thread.runs())[-1].run == run.id
            assert [line.run async for line in thread.history()][-1] == run.id


async def test_the_threads_of_two_agents_are_two() -> None:
    first, second = (attrs.evolve(answering(echo), name=name) for name in ("first", "second"))
    async with Runtime(agents=[first, second]) as runtime:
        await (await runtime.start(first, "one", thread="alice")).result(5)
        alone = await lines(runtime, "alice")
        await (await runtime.start(second, "two", thread="alice")).result(5)

        assert alone == ["one", "to one"]
        with pytest.raises(UnknownThread, match="several agents have one, say which: first, second"):
            await runtime.thread("alice")
        with pytest.raises(UnknownThread, match="begin it with"):
            await runtime.thread("bob")
        found = await runtime.thread("alice", second)
        assert [line.text async for line in found.history()] == ["two", "to two"]


@simulated(seeds=range(5))
async def test_two_who_begin_a_thread_at_once_are_in_the_same_run() -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent]) as runtime:
        runs: list[Run] = []

        async def say(text: str) -> None:
            runs.append(await runtime.start(agent, text, thread="t"))

        async with anyio.create_task_group() as group:
            for text in TEXTS:
                group.start_soon(say, text)
        for run in runs:
            await run.result(5)

        said = [line.text async for line in (await runtime.thread("t")).history() if line.role == "user"]
        assert sorted(said) == sorted(TEXTS)
        assert len(await (await runtime.thread("t")).runs()) == len({run.id for run in runs})


@simulated(seeds=range(5))
async def test_what_many_say_at_any_time_is_all_said_once_and_in_their_order() -> None:
    """Each says three things under keys, some twice, while runs work, pause, are cancelled and end."""
    chance = random.Random(7)  # who comes next is the simulation's choice
    agent = looking(Ledger())

    async def wait() -> None:
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)

    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "begin", thread="t")

        async def speaker(name: str) -> None:
            for number in range(3):
                await wait()
                for _ in range(chance.randrange(1, 3)):
                    run = await first.send(f"{name}{number}", by=name, key=f"{name}{number}")
                    if chance.random() < 0.2:
                        await run.cancel()

        async with anyio.create_task_group() as group:
            for name in "abc":
                group.start_soon(speaker, name)
        thread = await runtime.thread("t")
        last = await runtime.run((await thread.runs())[-1].run)
        with contextlib.suppress(Cancelled):
            await last.result(5)
        final = await last.send("end")
        await final.result(5)

        said = [line.text async for line in thread.history() if line.role == "user"]
        assert (said[0], said[-1], len(said)) == ("begin", "end", 11)
        for name in "abc":
            assert [text for text in said if text[0] == name and text[1:].isdigit()] == [f"{name}{n}" for n in range(3)]


async def test_what_names_no_thread_is_refused() -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        for name in ("x" * (LONGEST_NAME + 1), "\ud800", 7):
            with pytest.raises(AgentFault, match="is no name: give a text of 1 to 1,000 characters"):
                await runtime.start(agent, "one", thread=name)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(AgentFault, match="is no name"):
            await runtime.thread("")
        with pytest.raises(AgentFault, match="key=7 must be text"):
            await run.send("one", key=7)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(AgentFault, match="a sub-run begins no conversation"):
            await runtime.start(agent, "one", thread="x", parent=run)
        await run.result(5)


async def _pruned(runtime: Runtime, older_than: float, left: int) -> None:
    """A run is kept while its last messages are on their way."""

    async def gone() -> bool:
        await runtime.prune(older_than=older_than)
        return len(await runtime.runs()) == left

    await soon(gone)


async def test_a_thread_outlives_its_first_runs() -> None:
    now = [1_000.0]
    store, agent = MemoryStore(), answering(echo)
    async with Runtime(store=store, agents=[agent], clock=lambda: now[0]) as runtime:
        for number in range(3):
            run = await runtime.start(agent, str(number), thread="t", key=str(number))
            await run.result(5)
            now[0] += 100

        await _pruned(runtime, 150.0, left=1)

        left = await (await runtime.thread("t")).runs()
        assert [one.run for one in left] == [run.id]
        assert await lines(runtime, "t") == ["0", "to 0", "1", "to 1", "2", "to 2"], "it has its own copy"
        assert await (await runtime.start(agent, "3", thread="t")).result(5) == "to 3"
        assert (await lines(runtime, "t"))[-2:] == ["3", "to 3"]


async def test_a_thread_that_was_pruned_whole_begins_anew() -> None:
    now = [1_000.0]
    agent = answering(echo)
    async with Runtime(agents=[agent], clock=lambda: now[0]) as runtime:
        first = await runtime.start(agent, "0", thread="t", key="0")
        await first.result(5)
        await (await first.send("1")).result(5)
        now[0] += 100
        await _pruned(runtime, 50.0, left=0)
        assert await runtime.store.views("said") == []
        with pytest.raises(UnknownThread):
            await runtime.thread("t")

        again = await runtime.start(agent, "0", thread="t", key="0")

        assert await again.result(5) == "to 0"
        assert again.id != first.id
        assert await lines(runtime, "t") == ["0", "to 0"]


def looking(ledger: Ledger) -> Agent:
    """An agent that looks once for each text, and answers."""

    def model(request: ModelRequest) -> Answer:
        if request.messages[-1].role == "user":
            return calls(call("look", f"c{len(request.messages)}", at="x"))
        return "to " + "+".join(one.text for one in request.messages if one.role == "user")

    return answering(model, tools=tools(ledger))


async def _talk(runtime: Runtime) -> list[str]:
    agent = runtime._agents["clerk"]
    run = await runtime.start(agent, "one", thread="t", key="1")
    await run.send("two", key="2")
    await run.result(5)
    while (await run.status()).followed_by:
        run = await runtime.run((await run.status()).followed_by)
        await run.result(5)
    first = (await (await runtime.thread("t")).runs())[0].run
    third, fourth = [await (await runtime.run(first)).send(text, key=text) for text in ("three", "four")]
    await third.result(5)
    await fourth.result(5)
    return [line.text async for line in (await runtime.thread("t")).history() if line.role == "user"]


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_every_text_is_said_once_and_in_order_wherever_the_process_dies(after: bool) -> None:
    whole = Mortal()
    assert live(whole, looking(Ledger()), _talk) == list(TEXTS)

    for dies_at in range(1 + after, whole.commits + 1, 3):
        _dies_once(dies_at, after)


@pytest.mark.slow
@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_full_every_text_is_said_once_wherever_the_process_dies(after: bool) -> None:
    for dies_at in range(1, 150):
        _dies_once(dies_at, after)


def _dies_once(dies_at: int, after: bool) -> None:
    store = Mortal()
    store.dies_at, store.after = dies_at, after
    live(store, looking(Ledger()), _talk)
    store.revive()

    assert live(store, looking(Ledger()), _talk) == list(TEXTS), f"died at commit {dies_at}"
    assert anyio.run(store.verify).problems == ()


CHILD = """
import sys, anyio
from choragus.agents import Agent, FunctionModel, Runtime

async def slow(request):
    await anyio.sleep(3600)

async def main():
    agent = Agent("clerk", model=FunctionModel(slow))
    async with Runtime(sys.argv[1], agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", thread="t", key="1")
        await run.send("two", key="2")
        print("said", flush=True)
        await anyio.sleep(3600)

anyio.run(main)
"""


def test_what_was_said_before_a_kill_is_read_after_it(tmp_path: Path) -> None:
    file, script = tmp_path / "runs.db", tmp_path / "child.py"
    script.write_text(CHILD, encoding="utf-8")
    with subprocess.Popen([sys.executable, script, file], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "said\n"
        child.send_signal(signal.SIGKILL)
    agent = answering(echo)

    async def after() -> list[str]:
        async with Runtime(file, agents=[agent], on_change="warn") as runtime:
            run = await runtime.start(agent, "one", thread="t", key="1")
            await run.send("two", key="2")
            assert await run.result(10) == "to two"
            return await lines(runtime, "t")

    assert anyio.run(after) == ["one", "to one", "two", "to two"]


@pytest.mark.slow
async def test_full_a_thread_of_a_thousand_runs_is_read_in_linear_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines are a thousand times two; what each run has from the one before is not read."""

    async def latest(store: Store, run: str) -> tuple[ChatMessage, ...]:
        return tuple(await whole_conversation(store, run))[-6:]

    monkeypatch.setattr(following, "working_context", latest)
    agent = answering(lambda request: "yes")
    async with Runtime(agents=[agent]) as runtime:
        took: list[float] = []
        for number in range(1_000):
            run = await runtime.start(agent, str(number), thread="t")
            await run.result(10)
            if number + 1 in (100, 1_000):
                thread = await runtime.thread("t")
                began = time.perf_counter()
                assert len([line async for line in thread.history()]) == 2 * (number + 1)
                assert len(await thread.runs()) == number + 1
                took.append(time.perf_counter() - began)
        print(f"read 100 runs in {took[0]:.3f} s, 1,000 in {took[1]:.3f} s")
        assert took[1] < 40 * took[0]


def _refuses(check: Check) -> Verdict | None:
    return Deny("no swearing") if "damn" in check.text else None


async def test_people_say_something_from_a_terminal_and_read_it(file: str, capsys: Printed) -> None:
    agent = answering(echo, policies=[Rule(Stage.INPUT, _refuses)])
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", thread="alice")
        await run.result(5)

        sent = await command("send", file, run.id[:6], "two\x1b[2J", "--by", "mia", "--key", "k")
        again = await command("send", file, run.id, "two\x1b[2J", "--by", "mia", "--key", "k")
        second = await runtime.run((await run.status()).followed_by)
        await second.result(5)
        read = await command("thread", file, "alice")
        by_run = await command("thread", file, second.id[:6])
        await command("show", file, second.id)
        await command("show", file, run.id)

    printed = capsys.readouterr().out
    assert (sent, again, read, by_run) == (Exit.OK,) * 4
    assert printed.count(f"run {second.id} reads it next, says mia") == 2
    assert printed.count("  | to two\\u001b[2J") >= 2
    assert "\x1b" not in printed
    assert f"follows    run {run.id}" in printed
    assert f"goes on    as run {second.id}, told by mia" in printed


async def test_a_text_that_nobody_takes_up_waits_for_the_next_owner(file: str, hurry: None, capsys: Printed) -> None:
    agent = answering(echo)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)

    code = await command("send", file, run.id, "two", "--by", "mia")

    async with Runtime(file, agents=[agent]) as runtime:
        assert await (await (await runtime.run(run.id)).send("three")).result(5) == "to three"
        assert await lines(runtime, await runtime.run(run.id)) == [
            "one",
            "to one",
            "two",
            "to two",
            "three",
            "to three",
        ]
    assert code == Exit.OK
    assert "recorded: it takes effect when" in capsys.readouterr().out


async def test_a_text_for_an_agent_that_is_gone_is_refused_at_the_terminal(file: str, capsys: Printed) -> None:
    agent, other = answering(echo), attrs.evolve(answering(echo), name="other")
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)
    async with Runtime(file, agents=[other]):
        code = await command("send", file, run.id, "two", "--by", "mia")

    assert code == Exit.USAGE
    assert "'clerk' is not among the runtime's" in capsys.readouterr().err


async def test_the_conversations_of_a_file_are_listed_where_none_is_named(file: str, capsys: Printed) -> None:
    agent = answering(echo)
    async with Runtime(file, agents=[agent]) as runtime:
        await command("thread", file)
        for goal in ("one", "two"):
            last = await runtime.start(agent, goal, thread="alice")
            await last.result(5)

        await command("thread", file)
        lost = await command("thread", file, "bob")

    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"no conversations in {file}: a run that was told no more is shown by its id",
        f"alice  agent {agent.name}, 2 runs, the last {last.id} completed",
    ]
    assert lost == Exit.USAGE
    assert f"no conversation or run 'bob' in {file}: list them with `choragus thread" in printed.err
