"""Recordings of runs that plan, that are spoken to, and whose contexts have blocks and summaries."""

from __future__ import annotations

from pathlib import Path

from attrs import evolve

from choragus.agents.agent import Agent
from choragus.agents.context.block import Block
from choragus.agents.context.option import Context
from choragus.agents.context.strategy import Summarise
from choragus.agents.fork import whole_conversation
from choragus.agents.manifest import manifest
from choragus.agents.plan.planning import Planning
from choragus.agents.plan.recovery import Recovery, UseAgent
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.testing import Recording, recorded
from choragus.agents.testing.recording.recording import Mode

from .context_play import Heard, walker
from .plan_play import follows, given, gives_up, planner, proposes, states
from .play import Ledger, call, calls, scripted

MODES: tuple[Mode, ...] = ("record", "replay")


async def test_the_edits_of_blocks_are_made_also_in_a_recording(tmp_path: Path) -> None:
    edit = calls(call("append_to_block", label="notes", text="noted"))
    made = scripted(edit, "done", name="clerk")
    made = evolve(made, context=Context(budget_tokens=5_000, blocks=[Block("notes", "none")]))
    for mode in MODES:
        with recorded(made, tmp_path / "r.json", mode=mode) as agent:
            assert manifest(agent) == manifest(made)
            async with Runtime(agents=[agent]) as runtime:
                run = await runtime.start(agent, "Go.")
                await run.result(5)

                assert "noted" in (await run.explain()).instructions


async def test_who_summarises_is_recorded_too(tmp_path: Path) -> None:
    heard = Heard()
    strategy = Summarise(model=FunctionModel(heard.summarise, name="short"), keep_tokens=100)
    made = walker(Context(budget_tokens=700, compaction=[strategy]), heard, steps=6)
    answers: list[str] = []
    asked = 0
    for mode in MODES:
        with recorded(made, tmp_path / "r.json", mode=mode) as agent:
            assert manifest(agent) == manifest(made)
            async with Runtime(agents=[agent]) as runtime:
                answers.append(await (await runtime.start(agent, "Go.")).result(5))
        asked = asked or len(heard.summaries)

    assert answers == ["done after 6"] * 2
    assert asked > 0
    assert len(heard.summaries) == asked, "a model was called while the recording was replayed"


async def test_a_planned_run_with_a_sub_run_that_is_spoken_to_is_replayed(tmp_path: Path) -> None:
    planning = Planning(recoveries={"b": recovery_by("helper")})
    says = follows({"a": (calls(call("look", at="sky")), "seen"), "b": (gives_up("too hard"),)}, *[PLAN] * 9)
    texts: list[list[str]] = []

    made = evolve(planner({}, planning=planning, ledger=Ledger()), model=FunctionModel(says))
    helper = Agent("helper", model=FunctionModel(lambda request: "helped"))
    for mode in MODES:
        with Recording(tmp_path / "r.json", mode=mode) as recording:
            agent, other = recording.agent(made), recording.agent(helper)
            async with Runtime(agents=[agent, other]) as runtime:
                run = await runtime.start(agent, "Go.", key="k")
                await run.result(5)
                second = await run.send("And again?")
                await second.result(5)
                assert await states(second) == {"a": "succeeded", "b": "succeeded"}
                texts.append([line.text for line in await whole_conversation(runtime.store, second.id)])

    assert texts[0] == texts[1]


PLAN = proposes(given("a"), given("b"))


def recovery_by(agent: str) -> Recovery:
    """Another agent does it at once."""
    return Recovery(retries=0, fallback=[UseAgent(agent)])
