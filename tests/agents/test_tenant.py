"""For whom a run is: in the logbook and the lists, passed on to what comes of it, and never crossed by a key."""

from __future__ import annotations

import pytest

from choragus.agents.errors import AgentFault
from choragus.agents.runtime import Runtime

from .play import data, scripted


async def test_the_tenant_stands_in_the_logbook_and_in_lists() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tenant="acme")
        await run.result(5)

        ((started,), summary) = (await data(run, "run.started"), await run.status())

    assert (started["tenant"], summary.tenant) == ("acme", "acme")


async def test_nothing_is_said_of_a_tenant_where_there_is_none() -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(5)
        view = await runtime.store.view("run", run.id)

        assert "tenant" not in (await data(run, "run.started"))[0]
    assert view is not None
    assert not {b"tenant", b"waited", b"correction"} & set((view.body or b"").split(b'"'))


async def test_what_comes_of_a_run_is_for_the_same_tenant() -> None:
    agent = scripted("done", "done", "done", "done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tenant="acme")
        child = await runtime.start(agent, "A part.", parent=run)
        await run.result(5)
        fork = await runtime.fork(run.id)
        following = await run.send("And?")
        await following.result(5)

        found = [(await one.status()).tenant for one in (child, fork, following)]

    assert found == ["acme", "acme", "acme"]


@pytest.mark.parametrize("earlier", ["acme", ""])
async def test_the_run_of_a_key_is_not_handed_to_another_tenant(earlier: str) -> None:
    agent = scripted("done", "done")
    async with Runtime(agents=[agent]) as runtime:
        await runtime.start(agent, "Go.", key="k", tenant=earlier)
        same = await runtime.start(agent, "Go.", key="k", tenant=earlier)

        with pytest.raises(AgentFault, match=r"^key 'k' is that of a run for .*, not for 'other': put"):
            await runtime.start(agent, "Go.", key="k", tenant="other")

        assert (await same.status()).tenant == earlier


async def test_the_thread_of_a_name_is_not_handed_to_another_tenant() -> None:
    agent = scripted("done", "done", "done")
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "Go.", thread="alice", tenant="acme")
        await first.result(5)
        await (await runtime.start(agent, "Go on.", thread="alice", tenant="acme")).result(5)

        with pytest.raises(AgentFault, match=r"^thread 'alice' is that of a run for tenant 'acme', not for 'other'"):
            await runtime.start(agent, "Go on.", thread="alice", tenant="other")


@pytest.mark.parametrize(("tenant", "words"), [(7, "must be text"), ("\ud800", "must be text"), ("a" * 201, "201")])
async def test_a_tenant_is_a_short_text(tenant: object, words: str) -> None:
    agent = scripted("done")
    async with Runtime(agents=[agent]) as runtime:
        with pytest.raises(AgentFault, match=words):
            await runtime.start(agent, "Go.", tenant=tenant)  # type: ignore[arg-type]  # a user's mistake


async def test_a_sub_run_is_for_whom_its_parent_is() -> None:
    agent = scripted("done", "done")
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", tenant="acme")

        with pytest.raises(AgentFault, match="leave it out"):
            await runtime.start(agent, "A part.", parent=run, tenant="other")
