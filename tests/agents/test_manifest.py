"""What changes a run's identity, and what does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import cast

import pytest
from attrs import evolve

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.limits import Limits
from choragus.agents.manifest import Manifest, manifest
from choragus.agents.model import Price
from choragus.agents.prompt import Prompt
from choragus.agents.scripted import FunctionModel, ScriptedModel
from choragus.agents.tool import tool


@tool(risk="read")
def weather(city: str, days: int = 1) -> str:
    """Weather in a city."""
    return "rain"


@tool(risk="reversible")
def book(hotel: str) -> str:
    """Book a room."""
    return "booked"


@tool(risk="irreversible", name="book")
def book_for_good(hotel: str) -> str:
    """Book a room."""
    return "booked"


AGENT = Agent("helper", model=FunctionModel(lambda _: ""), prompt="Be brief.", tools=[weather, book])


def test_it_names_every_part() -> None:
    found = manifest(AGENT)

    assert (found.agent, found.provider, found.model) == ("helper", "function", "function")
    assert (found.prompt, found.settings, found.limits) == (
        AGENT.prompt.digest,
        {"max_output_tokens": 4096},
        AGENT.limits,
    )
    assert [(each.name, each.risk) for each in found.tools] == [("book", "reversible"), ("weather", "read")]
    assert found.tools[1].source == weather.source_hash()


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(evolve(AGENT, name="clerk"), id="name"),
        pytest.param(evolve(AGENT, model=FunctionModel(lambda _: "", name="other")), id="model"),
        pytest.param(evolve(AGENT, model=FunctionModel(lambda _: "", max_output_tokens=9)), id="settings"),
        pytest.param(evolve(AGENT, model=ScriptedModel([], name="function")), id="provider"),
        pytest.param(evolve(AGENT, prompt="Be long."), id="prompt"),
        pytest.param(evolve(AGENT, tools=[weather]), id="tool-taken-away"),
        pytest.param(evolve(AGENT, tools=[weather, book_for_good]), id="risk-and-source"),
        pytest.param(evolve(AGENT, limits=Limits(steps=51)), id="limits"),
    ],
)
def test_another_part_is_another_identity(other: Agent) -> None:
    assert manifest(other).hash != manifest(AGENT).hash


@pytest.mark.parametrize(
    "same",
    [
        pytest.param(evolve(AGENT, tools=[book, weather]), id="order-of-tools"),
        pytest.param(evolve(AGENT, prompt=Prompt("Be brief.", name="brief", version="2")), id="name-of-the-prompt"),
        pytest.param(evolve(AGENT, limits=Limits()), id="limits-spelled-out"),
        pytest.param(
            evolve(AGENT, model=FunctionModel(lambda _: "other", price=Price(input_per_million=1))), id="price"
        ),
    ],
)
def test_what_a_run_does_not_depend_on_leaves_the_identity(same: Agent) -> None:
    assert manifest(same).hash == manifest(AGENT).hash


def test_the_hash_is_a_sha256() -> None:
    assert len(bytes.fromhex(manifest(AGENT).hash)) == 32


def test_as_dict_is_json_and_has_sorted_keys() -> None:
    plain = manifest(AGENT).as_dict()

    assert json.loads(json.dumps(plain)) == plain
    assert list(plain) == sorted(plain)
    assert cast(dict[str, object], plain["limits"])["steps"] == 50


def test_settings_that_are_no_json_are_named() -> None:
    class Odd(ScriptedModel):
        def settings(self) -> dict[str, object]:
            return {"client": object()}

    with pytest.raises(
        AgentFault, match=r"^the model settings of agent 'odd' are \{'client': .*: let settings\(\) give"
    ):
        manifest(Agent("odd", model=Odd([])))


PROGRAM = """
from choragus.agents.agent import Agent
from choragus.agents.manifest import manifest
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import tool

source = '''
@tool(risk="read")
def pick(city: str, tags: frozenset[str] = frozenset({"a", "b", "c"})) -> bool:
    "Pick a city."
    return city in {"Bergen", "Oslo", "Voss"}
'''
names = {"tool": tool}
exec(compile(source, "<no file>", "exec"), names)
print(manifest(Agent("helper", model=ScriptedModel([]), tools=[names["pick"]])).hash)
"""


def test_the_hash_is_the_same_in_every_process() -> None:
    """Also for a tool without source, whose sets of text have another order in each process."""
    hashes = {_run(seed) for seed in ("1", "2")}

    assert len(hashes) == 1


def _run(seed: str) -> str:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_a_manifest_is_equal_when_its_parts_are() -> None:
    assert manifest(AGENT) == manifest(evolve(AGENT))
    assert isinstance(manifest(AGENT), Manifest)
