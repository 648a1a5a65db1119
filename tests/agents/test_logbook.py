"""The kinds of entries are declared, listed, searched, and can be shown without what was said."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from choragus.agents import Agent, Breaker, Runtime, ScriptedModel, UnknownRun
from choragus.agents.cli import main
from choragus.agents.logbook.checking import complaints, without_content
from choragus.agents.logbook.listing import as_markdown
from choragus.agents.logbook.query import Search, search
from choragus.agents.logbook.table import KINDS
from choragus.agents.toolbelt.lane import Circuit
from choragus.mailbox.reader import Reader

from .test_cli_kinds import written

PAGE = Path(__file__).parents[2] / "docs/logbook.md"
PRODUCED = Path(__file__).with_name("produced_kinds.txt")
BY_THE_KERNEL = {
    *("system.opened", "commit.repeated", "actor.failed", "actor.restarted", "actor.suspended", "actor.cut_off"),
    *("message.parked", "supervisor.gave_up", "supervisor.restarted", "supervisor.ended"),
    *("breaker.opened", "breaker.closed"),
}
BESIDE = {
    *("user", "assistant", "tool", "run"),
    *("framed", "pinned", "stubbed", "dropped", "shortened", "summarised", "fetched", "edited", "in_hand"),
}
"""Those of conversations, contexts and threads, whose streams have no other kinds."""


def test_the_kinds_that_are_declared_are_those_that_are_written() -> None:
    assert set(KINDS) == set(written()) | BY_THE_KERNEL | BESIDE


def test_the_page_lists_every_kind() -> None:
    _, listed = PAGE.read_text(encoding="utf-8").split("<!-- kinds -->\n\n")

    assert listed == as_markdown()


@pytest.mark.parametrize(
    ("kind", "data", "complaint"),
    [
        ("call.dreamt", {}, "kind 'call.dreamt' is not declared"),
        ("rule.expired", {"actor": "a"}, "rule.expired has no rule"),
        ("rule.expired", {"actor": "a", "rule": "r", "x": 1}, "rule.expired has 'x', which is not declared"),
        ("rule.expired", {"actor": "a", "rule": 1}, "rule.expired has 'rule' as int, declared as str"),
        ("call.queued", {"actor": "a", "call": "1", "tool": "t", "wait": True}, "as bool, declared as float"),
    ],
    ids=["kind", "missing", "unknown", "type", "bool"],
)
def test_an_entry_that_is_not_as_declared_is_told(kind: str, data: dict[str, object], complaint: str) -> None:
    (told,) = complaints(kind, data)

    assert complaint in told


def test_what_was_said_can_be_left_out() -> None:
    data: dict[str, object] = {"actor": "a", "call": "1.1", "outcome": "happened", "by": "mia", "result": "secret"}

    assert without_content("call.settled", data) == {"actor": "a", "call": "1.1", "by": "mia"}
    assert without_content("call.settled", data, people=False) == {"actor": "a", "call": "1.1"}
    assert without_content("my.own", data) == {}


async def _two_runs(file: str) -> tuple[str, str]:
    one = Agent("one", model=ScriptedModel(["first"]))
    two = Agent("two", model=ScriptedModel(["second"]))
    async with Runtime(file, agents=[one, two]) as runtime:
        first, second = await runtime.start(one, "Go.", key="a"), await runtime.start(two, "Go.", key="b")
        assert [await first.result(), await second.result()] == ["first", "second"]
        return first.id, second.id


async def test_a_runtime_gives_the_entries_that_fit(file: str) -> None:
    await _two_runs(file)

    async with Runtime(
        file, agents=[Agent("one", model=ScriptedModel([])), Agent("two", model=ScriptedModel([]))]
    ) as it:
        ended = [one async for one in it.log(kind="run.ended")]
        of_one = [one async for one in it.log(kind=["run.*", "model.*"], agent="one")]
        of_run = [one async for one in it.log(run=ended[1].run[:9])]
        behind = [one async for one in it.log(kind="run.ended", after=ended[0].seq)]
        earlier = [one async for one in it.log(until=1.0)]
        with pytest.raises(UnknownRun):
            [one async for one in it.log(run="nobody")]
        with pytest.raises(ValueError, match=r"^since=2 is not before until=1"):
            [one async for one in it.log(since=2.0, until=1.0)]

    assert {one.data["outcome"] for one in ended} == {"first", "second"}
    assert [one.kind for one in of_one] == ["run.started", "run.manifest", "model.replied", "run.ended"]
    assert {one.run for one in of_run} == {ended[1].run}
    assert of_run[0].kind == "run.started"
    assert behind == ended[1:]
    assert earlier == []


async def test_the_reader_finds_what_the_runtime_finds(file: str) -> None:
    run, _ = await _two_runs(file)

    with Reader(file) as reader:
        all_of_it = [*search(reader, Search(kinds=["run.*"]))]
        of_run = [*search(reader, Search(run=run, kinds=["run.*"]))]
        of_agent = [*search(reader, Search(agent="one", kinds=["run.*"]))]
        first = [*search(reader, Search(kinds=["run.*"]), limit=2)]

    assert [one.run for one in of_run] == [run] * 3
    assert of_agent == of_run
    assert first == all_of_it[:2]


async def test_the_command_prints_entries(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = await _two_runs(file)

    assert main(["log", file, "--run", run[:9], "--kind", "run.ended", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["kind"], told["data"]["outcome"], told["stream"]) == ("run.ended", "first", f"run/{run}")

    assert main(["log", file, "--kind", "run.ended", "--json", "--no-content", "--limit", "1"]) == 0
    assert "outcome" not in json.loads(capsys.readouterr().out)["data"]

    assert main(["log", file, "--agent", "two", "--kind", "model.*"]) == 0
    assert "model.replied" in capsys.readouterr().out
    assert main(["log", file, "--since", "1d", "--until", "2d"]) == 2
    assert "nothing lies between" in capsys.readouterr().err
    assert main(["log", file, "--since", "soon"]) == 2


def test_a_breaker_tells_when_it_moves() -> None:
    now, moves = [0.0], list[float]()
    circuit = Circuit(Breaker(failures=1, within=60.0, open_for=30.0), lambda: now[0], moves.append)

    circuit.ended(circuit.admit(), True)
    now[0] = 31.0
    circuit.ended(circuit.admit(), False)

    assert moves == [30.0, 0.0]


def test_every_kind_is_produced_by_a_test() -> None:
    """As recorded; a test that is gone, or a kind that nothing has produced, is for `record_kinds.py` to find anew."""
    recorded = dict(line.split(" ", 1) for line in PRODUCED.read_text(encoding="utf-8").splitlines())
    gone = [test for test in recorded.values() if not _is_there(*test.split("::"))]

    assert set(KINDS) - set(recorded) == set(), "write a test, then run tests/agents/record_kinds.py"
    assert set(recorded) - set(KINDS) == set(), "run tests/agents/record_kinds.py"
    assert gone == [], "run tests/agents/record_kinds.py"


def _is_there(path: str, *names: str) -> bool:
    file = PAGE.parents[1] / path
    return (
        file.exists()
        and re.search(rf"^ *(async )?def {names[-1]}\(", file.read_text("utf-8"), re.MULTILINE) is not None
    )
