"""Servers in processes that die, hang, flood and lie: bounded time and memory, and only their own actor fails."""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
from pathlib import Path

import attrs
import pytest

pytest.importorskip("mcp", reason="the extra is missing: pip install 'choragus[mcp]'")

from tests.agents.mcp.calculator import asking, given, rogue
from tests.agents.play import eventually, soon

from choragus.actors.event import Restarted
from choragus.agents.agent import Agent
from choragus.agents.errors import ServerFault
from choragus.agents.mcp import stdio
from choragus.agents.mcp.declaration import FromVault
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.state import Status
from choragus.agents.toolbelt.options import Retry
from choragus.supervision.backoff import Backoff
from choragus.supervision.strategy import OneForOne

SOON = OneForOne(max_restarts=5, within=60.0, backoff=Backoff(first=0.05, most=0.1))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait long for processes that do not want to end."""
    monkeypatch.setattr(stdio, "CLOSING", 0.2)


async def said(agent: Agent) -> tuple[str, float, float]:
    """What the model reads, how long that took, and how long the event loop stood still meanwhile."""
    loop = asyncio.get_running_loop()
    longest = 0.0

    async def beat() -> None:
        nonlocal longest
        while True:
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before)

    async with Runtime(agents=[agent]) as runtime:
        beating, started = asyncio.ensure_future(beat()), loop.time()
        text = await (await runtime.start(agent, "Go.")).result(timeout=20)
        beating.cancel()
        return text, loop.time() - started, longest


@pytest.mark.parametrize(
    ("mode", "text"),
    [
        ("bad-ids", r'"survived"'),
        ("dies-in-call", r"server rogue ended while say ran: its process ended with exit code 1; it said: no more"),
        ("hangs-in-call", r"rogue__say took longer than 0.4 s and was cancelled"),
        ("endless-line", r"server rogue ended while say ran: it wrote a line of more than 100,000 bytes"),
        ("nonsense", r"server rogue ended while say ran: it wrote 101 lines that are no messages"),
    ],
)
async def test_s18_a_server_that_misbehaves_in_a_call_ends_only_that_call(mode: str, text: str) -> None:
    told, took, _ = await said(asking(rogue(mode, max_message=100_000)))

    assert re.match(text, told), told
    assert took < 2.0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["floods", "deaf", "nonsense", "endless-line"])
async def test_s18_a_flood_takes_little_memory_and_does_not_stop_the_others(mode: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    _, took, longest = await said(asking(rogue(mode, timeout=5.0)))

    assert took < 7.0
    assert longest < 0.5
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 40


@pytest.mark.slow
async def test_s18_a_server_that_floods_on_and_on_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "FLOOD", 2)

    told, _, _ = await said(asking(rogue("floods", timeout=20.0)))

    assert told.startswith("server rogue ended while say ran: it wrote more than 500 lines a second for 2 s")


@pytest.mark.parametrize(
    ("mode", "why"),
    [
        ("dies", r"its process ended with exit code 1; it said: I do not want to"),
        ("hangs", r"it did not start within 0.2 s"),
        ("endless-list", r"it offers more than 500 tools, or 2,000,000 bytes of them"),
    ],
)
async def test_s18_a_server_that_does_not_start_is_an_error_in_bounded_time(mode: str, why: str) -> None:
    loop = asyncio.get_running_loop()
    started = loop.time()

    with pytest.raises(ServerFault, match=why):
        async with Runtime(agents=[asking(rogue(mode, start_timeout=0.2 if mode == "hangs" else 5.0))]):
            pass

    assert loop.time() - started < 3.0


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(5))
async def test_s18_no_garbage_makes_anything_hang(batch: int) -> None:
    async def one(seed: int) -> str:
        try:
            return (await said(asking(rogue(f"garbage-{seed}", start_timeout=2.0, timeout=1.0))))[0]
        except ServerFault as error:
            return str(error)

    seeds = range(batch * 8, batch * 8 + 8)
    async with asyncio.timeout(45):
        told = await asyncio.gather(*map(one, seeds))

    assert all(told)


@pytest.mark.slow
async def test_s18_a_process_that_does_not_want_to_end_is_killed(tmp_path: Path) -> None:
    clerk = asking(rogue("stubborn", str(tmp_path / "notes")))

    async with Runtime(agents=[clerk]) as runtime:
        await (await runtime.start(clerk, "Go.")).result()

    with pytest.raises(ProcessLookupError):
        os.kill(pid_of(tmp_path), 0)


async def test_s18_a_server_comes_back_by_its_supervisor_and_a_call_that_reads_is_made_again(tmp_path: Path) -> None:
    notes, back = tmp_path / "notes", list[Restarted]()
    retry = Retry(times=5, first=0.1, most=0.2)
    clerk = asking(rogue("dies-once", str(notes), restarts=SOON, retries=retry, timeout=5.0))

    async with Runtime(agents=[clerk]) as runtime:
        runtime.events.subscribe(back.append, Restarted)
        run = await runtime.start(clerk, "Go.")
        told = await run.result()

    assert told == '"hi"'
    assert [one.actor for one in back] == ["mcp/rogue/attendant"]
    calls = [json.loads(line) for line in notes.read_text(encoding="utf-8").splitlines()]
    keys = {one["_meta"]["choragus/idempotency-key"] for one in calls}
    assert (len(calls), len(keys)) == (2, 1)


async def test_a_call_that_cannot_be_undone_is_of_unknown_outcome_when_its_server_dies() -> None:
    clerk = asking(rogue("dies-in-call", risks={}))

    async with Runtime(agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Go.")
        await _approve(run)
        await eventually(run, "call.unknown")
        (unknown,) = await runtime.unknown()
        status = (await run.status()).status
        await run.settle(unknown, "happened", by="mia", result='"yes"')

        assert (unknown.tool, status) == ("rogue__say", Status.WAITING)
        assert unknown.reason.startswith("server rogue ended while say ran")
        assert await run.result() == '"yes"'


async def test_what_was_never_sent_is_not_unknown(tmp_path: Path) -> None:
    clerk = asking(rogue("good", str(tmp_path / "notes"), risks={}, restarts=OneForOne(max_restarts=0)))

    async with Runtime(agents=[clerk]) as runtime:
        line = runtime._catalogue._lines["rogue"]
        await soon(lambda: given(line.state == "running"))
        os.kill(pid_of(tmp_path), signal.SIGKILL)
        await soon(lambda: given(line.state == "down"))
        run = await runtime.start(clerk, "Go.")
        await _approve(run)

        assert (await run.result()).startswith("server rogue is not running: its process ended with exit code -9")
        assert await runtime.unknown() == []


async def test_a_server_inherits_nothing_and_gets_its_secrets_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-for-servers")
    told = tmp_path / "told"
    shell = f"env > {told}; echo token $TOKEN >&2; exit 3"
    server = rogue("good")
    clerk = asking(attrs.evolve(server, command=("/bin/sh", "-c", shell), env={"A": "1", "TOKEN": FromVault("bank")}))

    with pytest.raises(ServerFault, match=r"it said: token \[secret bank\]$"):
        async with Runtime(agents=[clerk], secrets={"bank": "s3cret-value"}):
            pass

    found = dict(line.partition("=")[::2] for line in told.read_text(encoding="utf-8").splitlines())
    assert (found["TOKEN"], found["A"]) == ("s3cret-value", "1")
    assert set(found) <= {*stdio.INHERITED, "A", "TOKEN", "PWD", "SHLVL", "_", "OLDPWD"}


@pytest.mark.parametrize("behind", [1_980, 1_990, 1_995])
async def test_s41_no_part_of_a_secret_is_told_where_a_servers_last_words_are_cut_off(behind: int) -> None:
    words = f"echo token $TOKEN and more >&2; printf '%0{behind - 10}d\\n' 0 >&2; exit 3"
    clerk = asking(attrs.evolve(rogue("good"), command=("/bin/sh", "-c", words), env={"TOKEN": FromVault("bank")}))

    with pytest.raises(ServerFault, match="it said: ") as fault:
        async with Runtime(agents=[clerk], secrets={"bank": "s3cret-value"}):
            pass

    assert "value" not in str(fault.value).partition("it said: ")[2]


def pid_of(folder: Path) -> int:
    """The process of the server that notes what it does in that folder."""
    return int((folder / "notes.pid").read_text(encoding="utf-8"))


async def _approve(run: Run) -> None:
    await eventually(run, "approval.requested")
    (approval,) = await run.pending()
    await approval.approve(by="mia")
