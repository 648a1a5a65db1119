"""The figures of the runs that a file holds: over a period, by what they have in common, and of the calls."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import Failed, ModelError
from choragus.agents.figures import Choice, Period, production
from choragus.agents.figures.calls import ENTRIES
from choragus.agents.model import ModelReply, Price
from choragus.agents.model_gateway.options import ModelOptions
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer, ScriptedModel
from choragus.agents.tool import tool
from choragus.agents.toolbelt.options import Retry
from choragus.mailbox.reader import Reader

from .many_runs import BEGIN, fill
from .play import Ledger, call, calls, scripted, tools


@pytest.fixture
def reader(many: Path) -> Iterator[Reader]:
    """That file, opened."""
    with Reader(many) as found:
        yield found


def test_the_figures_of_all_runs(reader: Reader) -> None:
    found = production(reader).total

    assert (found.runs, found.ended, found.open) == (70, 64, 6)
    assert found.completion[:2] == (54, 64)
    assert found.ends["failed"] == 10
    assert found.escalation[:2] == (64, 64)


def test_a_period_has_the_runs_that_ended_in_it_and_those_that_go_on(reader: Reader) -> None:
    """The first ten ended within ten minutes; of those that go on the first began after some ten minutes."""
    first = production(reader, Choice(Period(BEGIN, BEGIN + 600))).total
    empty = production(reader, Choice(Period(BEGIN - 99, BEGIN - 9))).total

    assert (first.ended, first.completion.k, first.open) == (10, 9, 1)
    assert (empty.empty, empty.completion.value) == (True, None)


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("agent", {"clerk": 22, "reader": 21, "writer": 21}),
        ("tenant", {"": 32, "acme": 32}),
        ("tool", {"look": 64, "pay": 64}),
        ("model", {"scripted:scripted": 64}),
    ],
)
def test_runs_are_grouped_by_what_they_have_in_common(reader: Reader, by: str, expected: dict[str, int]) -> None:
    found = production(reader, by=by)  # type: ignore[arg-type]  # one of them

    assert {name: one.ended for name, one in found.groups.items()} == expected


def test_days_are_local_and_only_those_on_which_a_run_ended(reader: Reader) -> None:
    found = production(reader, by="day")

    assert set(found.groups) == {datetime.fromtimestamp(BEGIN + 60 * n).date().isoformat() for n in range(70)}
    assert sum(one.ended for one in found.groups.values()) == 64
    assert all(one.open == 0 for one in found.groups.values())


def test_versions_are_the_hashes_of_manifests(reader: Reader) -> None:
    (version,) = production(reader, by="version").groups

    assert len(version) == 64


def test_an_agent_and_a_tenant_can_be_chosen(reader: Reader) -> None:
    found = production(reader, Choice(agent="clerk", tenant="acme")).total

    assert found.ended == 11


def test_what_runs_cannot_be_grouped_by_is_refused(reader: Reader) -> None:
    with pytest.raises(ValueError, match=r"^by='colour' is nothing .* choose from agent, model, tool"):
        production(reader, by="colour")  # type: ignore[arg-type]  # a user's mistake


async def test_calls_of_tools_are_counted_with_their_errors_and_retries(file: str) -> None:
    @tool(risk="read", retries=Retry(times=2, first=0.001))
    def shaky(at: str) -> str:
        """Fail."""
        raise OSError("down")

    look, *_ = tools(Ledger())
    agent = scripted(
        calls(call("shaky", at="x"), call("look", at="y")),
        calls(call("look", "again", at=7)),
        "done",
        tools=[shaky, look],
    )
    async with Runtime(file, agents=[agent]) as runtime:
        await (await runtime.start(agent, "Go.")).result(5)

    with Reader(file) as reader:
        found = production(reader, by="tool").calls

    shaken, looked = found["shaky"], found["look"]
    assert (shaken.calls, shaken.errors.k, shaken.retries) == (1, 1, 2)
    assert (looked.calls, looked.errors.k, looked.retries, looked.seconds.n) == (1, 0, 0, 1)


async def test_attempts_of_models_are_counted_with_their_tokens_and_cost(file: str) -> None:
    price = Price(input_per_million=1.0, output_per_million=4.0)
    script: list[Answer | Exception] = [ModelError("busy", retryable=True), ModelReply(text="done")]
    quick = ModelOptions(retries=Retry(first=0.001))
    agent = Agent("clerk", model=ScriptedModel(script, price=price), model_options=quick)
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.")
        await run.result(10)
        summary = await run.status()

    with Reader(file) as reader:
        (found,) = production(reader, by="model").calls.values()

    assert (found.calls, found.errors.k, found.retries) == (2, 1, 1)
    assert (found.input_tokens + found.output_tokens, found.cost_usd) == (summary.tokens, summary.cost_usd)


async def test_what_sub_runs_cost_belongs_to_the_run_above(file: str) -> None:
    price = Price(input_per_million=1.0, output_per_million=4.0)
    agent = Agent("clerk", model=ScriptedModel(["done", "done"], price=price), tools=[])
    above = Agent("above", model=ScriptedModel([ModelReply(calls=(call("pay", amount=1),)), "done"], price=price))
    above = Agent("above", model=above.model, tools=tools(Ledger()))
    async with Runtime(file, agents=[agent, above]) as runtime:
        run = await runtime.start(above, "Go.")
        child = await runtime.start(agent, "A part.", parent=run)
        await child.result(5)
        async for event in run.events():
            if event.kind == "approval.requested":
                await run.approve((await run.pending())[0], by="mia")
        costs = [one.cost_usd for one in await runtime.runs()]

    with Reader(file) as reader:
        alone, apart = production(reader).total, production(reader, Choice(sub_runs=True)).total

    assert (alone.ended, apart.ended) == (1, 2)
    assert alone.cost.total == apart.cost.total == pytest.approx(sum(costs))
    assert min(costs) > 0


async def test_a_file_without_runs_has_no_figures(file: str) -> None:
    async with Runtime(file, agents=[scripted("done")]):
        pass

    with Reader(file) as reader:
        found = production(reader, by="tool")

    assert (found.total.empty, found.groups, found.calls) == (True, {}, {})


async def test_a_run_that_failed_counts_as_an_error(file: str) -> None:
    agent = scripted(ModelError("no", retryable=False))
    async with Runtime(file, agents=[agent]) as runtime:
        with pytest.raises(Failed):
            await (await runtime.start(agent, "Go.")).result(5)

    with Reader(file) as reader:
        found = production(reader).total

    assert (found.errors.k, found.completion.k, found.cost_per_completed) == (1, 0, None)


def test_entries_are_found_by_the_index_of_their_stream(many: Path) -> None:
    """A scan of all entries would take as long as the file is large, for each run."""
    with sqlite3.connect(many) as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {ENTRIES.format('?')}", ("run/x", "call.finished")).fetchall()
        views = "SELECT key FROM view WHERE kind = 'run' ORDER BY sort, key"
        keys = connection.execute(f"EXPLAIN QUERY PLAN {views}").fetchall()
    connection.close()

    steps = [str(step[-1]) for step in plan]
    assert any(step.startswith("SEARCH entry USING INDEX entry_position (stream=?)") for step in steps), steps
    assert not any(step.startswith("SCAN") for step in steps), steps
    assert all(str(step[-1]).startswith("SEARCH view USING") for step in keys if "B-TREE" not in str(step[-1])), keys


def test_counting_imports_nothing_heavy(many: Path) -> None:
    asked = (
        "import sys; from choragus.agents.cli import main; main(sys.argv[1:]); "
        "print({'attrs', 'msgspec', 'anyio', 'asyncio', 'cattrs'} & set(sys.modules))"
    )

    for words in (["stats", str(many), "--by", "tool"], ["review", str(many)]):
        done = subprocess.run([sys.executable, "-c", asked, *words], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.slow
def test_ten_thousand_runs_are_counted_in_seconds(tmp_path: Path) -> None:
    """On a quiet machine 0.4 s for the runs and 2 s with all their calls; there is room for a busy one."""
    path = tmp_path / "runs.db"
    anyio.run(fill, path, 10_000)

    with Reader(path) as reader:
        found = production(reader, by="tool")

    assert (found.total.runs, found.calls["look"].calls) == (10_000, 10_000)
