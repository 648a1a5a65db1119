"""Recordings, the long form: random runs come again as they were, and a replay survives SIGKILL anywhere."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choragus.actors.testing import clock, simulate
from choragus.agents.agent import Agent
from choragus.agents.errors import ModelError, Outcome, ToolError
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ToolCall
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.testing import Recording, crash_everywhere, recorded
from choragus.agents.tool import Tool, tool
from choragus.agents.toolbelt.options import Retry

from .rehearsal import GOAL, Shop, clerk, record

FILE = "REHEARSAL_FILE"

TEXTS = st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace").decode())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
RESULTS = st.one_of(
    JSON,
    st.builds(ToolError, TEXTS, st.booleans()),
    st.builds(ValueError, TEXTS),
)
REPLIES = st.one_of(
    st.lists(st.tuples(st.sampled_from(["look", "other", "none"]), JSON), min_size=1, max_size=3),
    st.builds(ModelError, TEXTS, st.booleans()),
)


def _tools(results: list[object]) -> list[Tool]:
    left = iter(results)

    def given() -> object:
        found = next(left, "nothing more")
        if isinstance(found, Exception):
            raise found
        return found

    @tool(risk="read", retries=Retry(times=2, first=0.1))
    async def look(at: Any = None) -> object:
        """Look."""
        return given()

    @tool(risk="reversible")
    async def other(at: Any = None) -> object:
        """Something else."""
        return given()

    return [look, other]


def _agent(replies: list[object], results: list[object]) -> Agent:
    script: list[Answer | Exception] = []
    for number, reply in enumerate(replies):
        if isinstance(reply, Exception):
            script.append(reply)
        else:
            calls = tuple(
                ToolCall(f"{number}.{place}", name, {"at": at})
                for place, (name, at) in enumerate(msgspec.convert(reply, list[tuple[str, object]]))
            )
            script.append(ModelReply(calls=calls))
    model = ScriptedModel([*script, "Done."])
    return Agent("clerk", model=model, tools=_tools(results), limits=Limits(steps=9))


def _logbook(agent: Agent) -> list[tuple[str, object]]:
    async def play() -> list[tuple[str, object]]:
        async with Runtime(agents=[agent], clock=clock) as runtime:
            run = await runtime.start(agent, GOAL, key="k")
            with suppress(Outcome):
                await run.result()
            return [(event.kind, event.data) async for event in run.past()]

    return simulate(play)


@pytest.mark.slow
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(REPLIES, max_size=4), st.lists(RESULTS, max_size=8))
def test_any_run_comes_again_as_it_was(replies: list[object], results: list[object]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.json"
        with recorded(_agent(replies, results), file, mode="record") as agent:
            first = _logbook(agent)
        written = file.read_bytes()
        with recorded(_agent(replies, []), file, mode="replay") as agent:
            again = _logbook(agent)
        with recorded(_agent(replies, results), file, mode="record") as agent:
            _logbook(agent)

        assert again == first
        assert file.read_bytes() == written


def replayed_clerk() -> Agent:
    """The clerk on its recording, in each process anew."""
    return Recording(os.environ[FILE], mode="replay").__enter__().agent(clerk())


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_replay_survives_every_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await record(tmp_path / "refund.json")
    monkeypatch.setenv(FILE, str(tmp_path / "refund.json"))

    print(await crash_everywhere(replayed_clerk, GOAL, resources=Shop))
