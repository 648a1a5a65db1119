"""What needs a person is told at least once, by a hook that may fail, hang or die, and that holds nobody up."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from pathlib import Path

import attrs
import pytest

from choragus.actors.testing import clock
from choragus.actors.testing.simulation import simulated
from choragus.agents.approver import Approvals
from choragus.agents.attention import Attention
from choragus.agents.herald import Hook
from choragus.agents.memory import Memory
from choragus.agents.message import Perceive
from choragus.agents.runtime import Runtime
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.errors import SystemFailed

from .people_play import asker, payer, question
from .play import Ledger, Mortal, PowerCut, call, calls, fail, scripted, soon, tools


class Person:
    """Somebody who is told, after so many failures."""

    def __init__(self, failures: int = 0) -> None:
        self.told: list[Attention] = []
        self.failures = failures

    async def __call__(self, item: Attention) -> None:
        """One telling."""
        self.told.append(item)
        if len(self.told) <= self.failures:
            raise RuntimeError("busy")

    async def heard(self, count: int) -> None:
        """Wait for so many tellings."""

        async def enough() -> bool:
            return len(self.told) >= count

        await soon(enough)


@simulated(seeds=range(2))
async def test_what_waits_is_told_once_without_what_stands_in_it() -> None:
    person, agent = Person(), payer([])
    async with Runtime(agents=[agent], attention=person, clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")
        approval = await question(run)
        await person.heard(1)
        await approval.approve(by="mia")
        await run.result(5)

        (item,) = person.told
    assert (item.kind, item.run, item.call, item.tool) == ("call", run.id, "1.1", "pay")
    assert (item.approval, item.agent) == (approval.id, "clerk")
    assert item.what == "pay waits for a person: decide with `choragus approve` or `deny`"
    assert "150" not in str(attrs.asdict(item))


@simulated(seeds=range(2))
async def test_a_hook_that_fails_is_called_again_later_and_later() -> None:
    person, agent = Person(failures=3), asker("W1")
    async with Runtime(agents=[agent], attention=person, clock=clock) as runtime:
        began = clock()
        run = await runtime.start(agent, "Plan.")
        await question(run)

        await asyncio.sleep(8)

        log = [one for one in await runtime.store.read("system") if one.kind.startswith("attention.")]
    assert len(person.told) == 4
    assert len({item.id for item in person.told}) == 1
    assert [one.kind for one in log] == ["attention.raised", "attention.failed", "attention.failed", "attention.told"]
    assert 7 <= log[-1].at - began < 8, "after 1, 2 and 4 seconds"


@simulated(seeds=range(2))
async def test_a_hook_that_hangs_holds_no_run_and_no_other_news() -> None:
    heard: list[str] = []

    async def hook(item: Attention) -> None:
        if item.tool == "pay":
            await asyncio.sleep(10_000)
        heard.append(item.tool)

    hanging, other = payer([]), asker("W1")
    async with Runtime(agents=[hanging, other], attention=hook, clock=clock) as runtime:
        first, second = await runtime.start(hanging, "Pay."), await runtime.start(other, "Plan.")
        await (await question(first)).approve(by="mia")
        await (await question(second)).answer("W1", by="mia")

        await first.result(5)
        await second.result(5)

        async def told() -> bool:
            return heard == ["ask_person"]

        await soon(told)


@simulated(seeds=range(2))
async def test_an_escalation_is_told_anew() -> None:
    person = Person()
    approvals = Approvals(within=1, default="escalate", chain=["mia", "boss"])
    agent = payer([], approvals=approvals)
    async with Runtime(agents=[agent], attention=person, clock=clock) as runtime:
        run = await runtime.start(agent, "Pay.")

        await run.result(5)
        await person.heard(2)

    assert [item.what[:22] for item in person.told] == ["pay waits for mia: dec", "pay waits for boss: de"]


@simulated(seeds=range(2))
async def test_who_attaches_after_a_restart_is_told_of_what_nobody_was_told() -> None:
    store, agent = MemoryStore(), payer([])
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.", key="k")
        await question(run)
    person, later = Person(), Person()

    async with Runtime(store=store, agents=[agent], attention=person) as runtime:
        await person.heard(1)

        async def noted() -> bool:
            return "attention.told" in [one.kind for one in await store.read("system")]

        await soon(noted)
    async with Runtime(store=store, agents=[agent], attention=later) as runtime:
        await asyncio.sleep(1)

        (item,) = await runtime.attention()
    assert (person.told, later.told) == ([item], [])


@simulated(seeds=range(2))
async def test_a_message_that_poisons_a_part_is_told() -> None:
    person, agent = Person(), scripted("done")
    with pytest.MonkeyPatch.context() as patched:
        fail(patched, Memory, Perceive, 99)
        async with Runtime(agents=[agent], attention=person, attempts=1, clock=clock) as runtime:
            run = await runtime.start(agent, "Go.")

            await person.heard(1)

            assert [item.id for item in await runtime.attention()] == [person.told[0].id]
    assert (person.told[0].kind, person.told[0].run) == ("parked", run.id)
    assert person.told[0].what.endswith("mend the cause, then `choragus requeue`")


@simulated(seeds=range(2))
async def test_a_run_that_is_held_is_told() -> None:
    store, person = MemoryStore(), Person()
    before = payer([])
    async with Runtime(store=store, agents=[before]) as runtime:
        run = await runtime.start(before, "Pay.")
        await question(run)

    async with Runtime(store=store, agents=[], attention=person) as runtime:
        await person.heard(2)

    assert {item.kind for item in person.told} == {"call", "held"}
    assert {item.run for item in person.told} == {run.id}


@simulated(seeds=range(2))
async def test_without_a_hook_a_run_sends_and_writes_nothing_more() -> None:
    agent = payer([])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await (await question(run)).approve(by="mia")
        await run.result(5)

        log = await runtime.store.read("system")
    assert [one.kind for one in log if one.kind.startswith("attention")] == []


async def test_a_plain_function_is_called_in_a_thread(tmp_path: Path) -> None:
    threads: list[int] = []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hook(item: Attention) -> None:
        threads.append(threading.get_ident())
        loop.call_soon_threadsafe(done.set)

    agent = payer([])
    async with Runtime(tmp_path / "runs.db", agents=[agent], attention=hook) as runtime:
        await runtime.start(agent, "Pay.")

        await asyncio.wait_for(done.wait(), 5)

    assert threads != [threading.get_ident()]


def _life(store: Mortal, hook: Hook) -> set[str] | None:
    """Three payments to be approved at once: the ids of the approvals, once all are told of."""
    agent = scripted(calls(*(call("pay", str(n), amount=n) for n in range(3))), "done", tools=tools(Ledger()))

    async def main() -> set[str] | None:
        try:
            async with Runtime(store=store, agents=[agent], attention=hook) as runtime:
                run = await runtime.start(agent, "Go.", key="k")
                await question(run, 3)

                async def told() -> bool:
                    return [one.kind for one in await store.read("system")].count("attention.told") == 3

                await soon(told)
                store.dies_at = 0
                return {one.id for one in await run.pending()}
        except SystemFailed as died:
            if died.subgroup(PowerCut) is None:
                raise
            return None

    return asyncio.run(main())


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
def test_each_is_told_at_least_once_whenever_the_process_dies(after: bool) -> None:
    store, person = Mortal(), Person()
    ids = _life(store, person)
    assert {item.approval for item in person.told} == ids
    total = store.commits

    for dies_at in range(1 + after, total + 1, 3):
        store, person = Mortal(), Person()
        store.dies_at, store.after = dies_at, after
        _life(store, person)
        store.revive()

        assert _life(store, person) == ids
        counts = Counter(item.approval for item in person.told)
        assert set(counts) == ids, f"died at {dies_at}"
        assert max(counts.values()) <= 2, "what was acknowledged on disk is told again"
