"""What ended runs leave, and what later ones find of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.agents.play import Ledger as Notes
from tests.agents.play import Mortal, call, calls, live, scripted, soon, tools

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed
from choragus.agents.flow.declaration import Labels
from choragus.agents.flow.policy import InformationFlow
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.episode import Episode
from choragus.agents.knowledge.message import EPISODES, Forgotten
from choragus.agents.knowledge.tools import episodes_tool
from choragus.agents.runtime import Runtime
from choragus.agents.tool import tool
from choragus.mailbox.address import actor_id


def clerk(*replies: object, name: str = "clerk", episodes: bool = True) -> Agent:
    look, *_ = tools(Notes())
    said = replies or (calls(call("look", at="door")), "The door is shut.")
    made = scripted(*said, tools=[look], name=name)  # type: ignore[arg-type]  # answers
    return Agent(name, model=made.model, tools=[look], episodes=episodes)


async def left(runtime: Runtime, agent: Agent | str, count: int = 1) -> list[Episode]:
    async def there() -> bool:
        return len([one async for one in runtime.episodes(agent).all()]) >= count

    await soon(there)
    return [one async for one in runtime.episodes(agent).all()]


async def test_a_run_leaves_its_outcome() -> None:
    agent = clerk()
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look at the door.")
        await run.result()

        (one,) = await left(runtime, agent)

    assert (one.run, one.agent, one.goal, one.status) == (run.id, "clerk", "Look at the door.", "completed")
    assert (one.outcome, one.steps, one.tools, one.ended >= one.started > 0) == (
        "The door is shut.",
        2,
        ("look",),
        True,
    )
    assert one.labels == (f"untrusted run {run.id}",)
    assert one.text == "Goal: Look at the door.\ncompleted in 2 steps with look: The door is shut."


async def test_later_runs_find_it_by_a_goal_like_it() -> None:
    agent = clerk("It is done.")
    async with Runtime(agents=[agent]) as runtime:
        for goal in ("Look at the front door.", "Tell the weather.", "Look at the back door."):
            await (await runtime.start(agent, goal)).result()
        await left(runtime, agent, 3)

        found = await runtime.episodes(agent).search("What about the back door?", limit=2)
        retrieved = await runtime.episodes("clerk").retrieve("weather", run="r", agent="clerk", limit=1)

    assert [one.goal for one in found] == ["Look at the back door.", "Look at the front door."]
    assert found[0].score > found[1].score
    assert retrieved[0].source.startswith("run ")
    assert retrieved[0].text == "Goal: Tell the weather.\ncompleted in 1 step: It is done."


async def test_a_run_that_fails_leaves_that_it_failed() -> None:
    agent = clerk(RuntimeError("down"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        with pytest.raises(Failed):
            await run.result()

        (one,) = await left(runtime, agent)

    assert (one.status, "down" in one.outcome, one.labels) == ("failed", True, (f"untrusted run {run.id}",))


async def test_an_agent_without_episodes_sends_and_keeps_nothing() -> None:
    agent = clerk(episodes=False)
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result()

        assert (await runtime.store.load(actor_id(EPISODES, "clerk"))).revision == 0
        assert [one for one in await runtime.store.waiting(1e12) if one.startswith(EPISODES)] == []
        assert await runtime.store.collections() == []


async def test_a_runtime_may_keep_the_episodes_of_all_and_only_so_many() -> None:
    agent, now = clerk("one", "two", "three", episodes=False), [1000.0]
    kept = Library("episodes", most_documents=2)
    async with Runtime(agents=[agent], episodes=kept, clock=lambda: now[0]) as runtime:
        for goal in ("First.", "Second.", "Third."):
            await (await runtime.start(agent, goal)).result()
            now[0] += 1
        await left(runtime, agent, 2)
        now[0] += 2

        async def swept() -> bool:
            return [one.goal async for one in runtime.episodes(agent).all()] == ["Second.", "Third."]

        await soon(swept)


async def test_what_a_run_left_can_be_forgotten() -> None:
    agent = clerk()
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "Look at the door.")
        await run.result()
        await left(runtime, agent)

        assert await runtime.episodes(agent).forget(run.id) == Forgotten(documents=1, chunks=1)
        assert await runtime.episodes(agent).search("door") == []


async def test_s23_an_agent_finds_no_episodes_of_another() -> None:
    first, second = clerk(name="first"), clerk(name="second")
    async with Runtime(agents=[first, second]) as runtime:
        await (await runtime.start(first, "Look at the door.")).result()
        await left(runtime, first)

        for agent in ("second", "fir*", "first'--", "%", "../first", ""):
            assert await runtime.episodes(agent).search("door OR * look") == []


@pytest.mark.parametrize("reads", [False, True], ids=["nothing read", "a page read"])
async def test_s22_an_episode_is_as_trusted_as_what_its_run_had_read(reads: bool) -> None:
    @tool(risk="read", labels=Labels(trusted=[] if reads else ["$"]))
    async def page() -> str:
        """Read the page."""
        return "words"

    model = scripted(calls(call("page")), "done").model
    agent = Agent("clerk", model=model, tools=[page, episodes_tool("clerk")], episodes=True)
    async with Runtime(agents=[agent], policies=[InformationFlow()]) as runtime:
        await (await runtime.start(agent, "Go.")).result()

        (one,) = await left(runtime, agent)

    trusted = ("developer", "tool page", "user")
    assert one.labels == (("developer", "untrusted page", "user") if reads else trusted)


def test_an_episode_is_kept_once_wherever_the_process_dies() -> None:
    def play_to_the_end(store: Mortal) -> list[Episode] | None:
        agent = clerk()

        async def play(runtime: Runtime) -> list[Episode]:
            run = await runtime.start(agent, "Look at the door.", key="k")
            await run.result()
            return await left(runtime, agent)

        return live(store, agent, play)

    calm = Mortal()
    assert play_to_the_end(calm) is not None

    for dies_at in range(2, calm.commits + 1, 2):
        for after in (False, True):
            store = Mortal()
            store.dies_at, store.after = dies_at, after
            play_to_the_end(store)
            store.revive()
            found = play_to_the_end(store)
            assert found is not None
            assert [(one.status, one.tools) for one in found] == [("completed", ("look",))]


async def test_episodes_are_there_when_the_file_is_opened_again_and_after_the_run_is_pruned(tmp_path: Path) -> None:
    agent, now = clerk(), [1000.0]
    async with Runtime(tmp_path / "runs.db", agents=[agent], clock=lambda: now[0]) as runtime:
        await (await runtime.start(agent, "Look at the door.")).result()
        await left(runtime, agent)
        now[0] += 100
        assert (await runtime.prune(older_than=10)).runs

    async with Runtime(tmp_path / "runs.db", agents=[agent], clock=lambda: now[0]) as runtime:
        assert [one.goal for one in await runtime.episodes(agent).search("door")] == ["Look at the door."]
        assert (await runtime.store.verify()).problems == ()
