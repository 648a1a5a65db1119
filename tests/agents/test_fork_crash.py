"""A fork happens in one transaction or not at all; and a run can be forked while it is in the middle of anything."""

from __future__ import annotations

import anyio
import pytest
from tests.scenarios.forking import forking

from choragus.agents.fork import ForkPoint, fork_point
from choragus.agents.naming import run_id
from choragus.agents.run import Run
from choragus.agents.runtime import Runtime
from choragus.agents.stream import SHOWN, conversation_stream, run_stream
from choragus.agents.testing import INTERRUPTIONS
from choragus.supervision.testing import crash_everywhere

from .fork_play import approved, clerk, ended, position
from .play import Ledger, Mortal, kinds, live, soon


@pytest.mark.timeout(180)
def test_a_run_and_its_fork_survive_crashes() -> None:
    report = crash_everywhere(forking, sample=2, allowed=INTERRUPTIONS).check()

    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_a_run_and_its_fork_survive_every_crash_and_a_second_one() -> None:
    print(crash_everywhere(forking, pairs=50, allowed=INTERRUPTIONS).check())


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "after it is written"])
@pytest.mark.parametrize("commits", range(1, 6))
def test_a_fork_that_dies_has_begun_whole_or_not_at_all(commits: int, after: bool) -> None:
    """The store dies with one of the commits that follow; what stands then is a whole beginning, or nothing."""
    ledger, store = Ledger(), Mortal()
    agent = clerk(ledger)

    async def first(runtime: Runtime) -> str:
        run = await ended(runtime, agent)
        at = await position(run, "approval.requested")
        store.dies_at, store.after = store.commits + commits, after
        fork = await runtime.fork(run.id, at=at, key="fork")
        await approved(fork)
        return fork.id

    live(store, agent, first)
    store.revive()
    begun = {stream for stream in store._log.heads if stream.startswith("run/")}

    async def second(runtime: Runtime) -> tuple[list[str], int]:
        (parent,) = [one.run for one in await runtime.runs() if one.key == "k"]
        run = await runtime.run(parent)
        fork = await runtime.fork(run.id, at=await position(run, "approval.requested"), key="fork")
        assert await _finished(fork, ledger) == "all done"
        await _said(runtime, fork)
        return await kinds(fork), len(begun)

    lived = live(store, agent, second)

    assert lived is not None
    told, streams = lived
    assert told[:3] == ["stream.forked", "run.started", "run.manifest"]
    assert told.count("stream.forked") == told.count("run.ended") == 1
    assert streams in (1, 2)
    assert len([key for key in ledger.done if key.endswith("/1.2")]) == 2, "paid more than once for each run"
    assert anyio.run(store.verify).problems == ()


@pytest.mark.parametrize("length", [3, 3 * SHOWN], ids=["short results", "long results"])
def test_a_run_is_the_same_to_a_fork_then_and_later(length: int) -> None:
    """What a run held at its last position, read when it died there with messages on their way, and after its end."""
    then: dict[int, ForkPoint] = {}
    for dies_at in range(5, 100):
        store, ledger = Mortal(), Ledger()
        agent = clerk(ledger, length=length)
        store.dies_at = dies_at
        live(store, agent, lambda runtime, agent=agent: ended(runtime, agent))  # type: ignore[misc]  # bound at once
        is_over = store.commits < dies_at
        store.revive()
        point = anyio.run(fork_point, store, run_id(agent.name, "k"), None, "memory")

        ended_run = live(store, agent, lambda runtime, ledger=ledger: _looked_up(runtime, ledger))  # type: ignore[misc]

        assert ended_run is not None
        assert anyio.run(fork_point, store, ended_run.id, point.cited.position, "memory") == point
        then[point.cited.position] = point
        if is_over:
            break
    assert is_over
    assert max(len(point.conversation) for point in then.values()) == 7


async def _looked_up(runtime: Runtime, ledger: Ledger) -> Run:
    (one,) = await runtime.runs()
    run = await runtime.run(one.run)
    await _finished(run, ledger)
    return run


async def _said(runtime: Runtime, fork: Run) -> None:
    """Wait for the whole conversation, of as many lines as the parent's: goal, two answers with two results, answer."""

    async def whole() -> bool:
        return (await runtime.store.extent(conversation_stream(fork.id))).last == 8

    await soon(whole)


async def _finished(run: Run, ledger: Ledger) -> str:
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")
        for unknown in await run.unknown():
            happened = ledger.count(unknown.idempotency_key) > 0
            await run.settle(unknown.call, "happened" if happened else "not", by="mia", result='"paid 5"')
    return await run.result()


async def test_a_run_is_forked_as_it_goes_on_at_each_of_its_lines() -> None:
    """Each fork is asked for as soon as its line is on disk: what the line tells of may still be on its way."""
    ledger = Ledger()
    agent = clerk(ledger)
    forks: list[Run] = []
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Do it.", key="k")
        async for event in run.events():
            for approval in await run.pending():
                await run.approve(approval, by="mia")
            if event.kind == "model.replied" and event.data["step"] == 3:
                break
            forks.append(await runtime.fork(run.id, at=event.position))

        assert await run.result() == "all done"
        for fork in forks:
            assert await approved(fork) == "all done"
            await _said(runtime, fork)
        for irreversible in (f"{one.id}/1.2" for one in [run, *forks]):
            assert ledger.count(irreversible) <= 1
        assert (await runtime.store.extent(run_stream(run.id))).first == 1
