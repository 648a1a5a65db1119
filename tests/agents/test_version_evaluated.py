"""Runs begin only on agents that were evaluated as they are now, where that is required."""

from __future__ import annotations

import json
import logging
import pickle
from pathlib import Path

import attrs
import pytest

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.agents.agent import Agent
from choragus.agents.control import StartChild
from choragus.agents.errors import NotEvaluated
from choragus.agents.evaluating import bench_of
from choragus.agents.evaluation import Baseline, Case, evaluate
from choragus.agents.fork import standing_at
from choragus.agents.manifest import manifest
from choragus.agents.message import ForkRun, StartRun, Verdict
from choragus.agents.prompt import Prompt
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.speech import SendText
from choragus.agents.version.record import EVALUATION
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.store import Store
from choragus.supervision.spec import Region
from choragus.supervision.system import System

from .fork_play import clerk as forked
from .fork_play import ended
from .play import Ledger, scripted, soon, until


@stored("test.evaluated")
@attrs.frozen
class Evaluated:
    """An evaluation has ended."""

    id: str
    manifest: str
    passed: bool | None
    ended: float = 1.0
    dataset: str = "regression"


@stored("test.evaluator_state")
@attrs.define
class Nothing:
    """No state."""


class Evaluator(DurableActor[Nothing, Evaluated], name="test.evaluator"):
    """Writes rows as those that evaluate do."""

    @handle
    def wrote(self, message: Evaluated) -> bool:
        """One row."""
        self.view(EVALUATION, message.id, body(message), scope=message.manifest, sort=message.ended)
        return True


def body(one: Evaluated) -> dict[str, object]:
    """As it stands in the file."""
    return {**attrs.asdict(one), "agent": "clerk", "cases": 3, "repeats": 1, "started": 0.0, "figures": {}}


async def evaluated(store: Store, *found: Evaluated) -> None:
    """Write these into the file; nobody has it open."""
    async with System(actors=[Region(Evaluator)], store=store) as system:
        for one in found:
            system.ref(Evaluator, "e").tell(one)
            await soon(lambda one=one: store.view(EVALUATION, one.id))  # type: ignore[misc]  # it is bound at once


AGENT = scripted("done")
HASH = manifest(AGENT).hash


async def begins(store: Store, agent: Agent = AGENT, required: object = True) -> bool:
    """Whether a run of the agent begins."""
    async with Runtime(store=store, agents=[agent], require_evaluated=required) as runtime:  # type: ignore[arg-type]  # as a test says
        try:
            await (await runtime.start(agent, "Go.")).result(timeout=5)
        except NotEvaluated:
            assert await runtime.runs() == []
            return False
        return True


async def test_what_was_never_evaluated_begins_nothing_and_the_error_says_what_to_do() -> None:
    async with Runtime(agents=[AGENT], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated) as caught:
            await runtime.start(AGENT, "Go.")

        assert await runtime.runs() == []
    error = caught.value
    assert (error.agent, error.identity, error.failed) == ("clerk", HASH, False)
    assert error.command.startswith("choragus eval ")
    assert str(error).startswith(f"agent 'clerk' as it is now (identity {HASH[:12]}) has no stored evaluation: run `")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("found", "counts"),
    [
        pytest.param([Evaluated("1", HASH, True)], True, id="passed"),
        pytest.param([Evaluated("1", HASH, None)], True, id="nothing-to-compare-with"),
        pytest.param([Evaluated("1", HASH, False)], False, id="failed"),
        pytest.param([Evaluated("1", "0" * 64, True)], False, id="another-identity"),
        pytest.param([Evaluated("1", HASH, False, 1.0), Evaluated("2", HASH, True, 2.0)], True, id="passed-since"),
        pytest.param([Evaluated("1", HASH, True, 1.0), Evaluated("2", HASH, False, 2.0)], False, id="failed-since"),
        pytest.param(
            [Evaluated("1", HASH, False, 1.0, "hard"), Evaluated("2", HASH, True, 2.0)], False, id="one-of-two-failed"
        ),
    ],
)
async def test_the_latest_evaluation_of_each_dataset_counts(found: list[Evaluated], counts: bool) -> None:
    store = MemoryStore()
    await evaluated(store, *found)

    assert await begins(store) is counts


async def test_an_agent_that_changed_since_is_refused_again() -> None:
    store = MemoryStore()
    await evaluated(store, Evaluated("1", HASH, True))

    assert await begins(store)
    assert not await begins(MemoryStore(), attrs.evolve(AGENT, prompt=Prompt("Be brief.")))


async def test_it_is_looked_again_before_a_start_is_refused(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps(body(Evaluated("1", "0" * 64, True))))
    async with Runtime(agents=[AGENT], require_evaluated=report) as runtime:
        with pytest.raises(NotEvaluated, match=f"has no stored evaluation in {report}: "):
            await runtime.start(AGENT, "Go.")

        report.write_text(json.dumps(body(Evaluated("2", HASH, True))))

        assert await (await runtime.start(AGENT, "Go.")).result(timeout=5) == "done"


async def test_a_warning_is_given_once_and_the_run_begins(caplog: pytest.LogCaptureFixture) -> None:
    store = MemoryStore()
    with caplog.at_level(logging.WARNING, logger="choragus"):
        async with Runtime(store=store, agents=[AGENT], require_evaluated="warn") as runtime:
            for _ in range(2):
                assert await (await runtime.start(AGENT, "Go.")).result(timeout=5) == "done"

    assert sum("has no stored evaluation" in one.message for one in caplog.records) == 1


async def test_a_run_that_is_there_is_given_back() -> None:
    store = MemoryStore()
    async with Runtime(store=store, agents=[AGENT]) as runtime:
        run = await runtime.start(AGENT, "Go.", key="k")
        await run.result(timeout=5)

    async with Runtime(store=store, agents=[AGENT], require_evaluated=True) as runtime:
        assert (await runtime.start(AGENT, "Go.", key="k")).id == run.id
        with pytest.raises(NotEvaluated):
            await runtime.start(AGENT, "Go.", key="another")


async def test_a_fork_is_a_run_that_begins() -> None:
    store, agent = MemoryStore(), forked(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)

    async with Runtime(store=store, agents=[agent], require_evaluated="refuse") as runtime:
        with pytest.raises(NotEvaluated):
            await runtime.fork(run.id)


@pytest.mark.parametrize("form", ["one", "list", "report", "lines"])
async def test_a_report_may_hold_several(form: str, tmp_path: Path) -> None:
    one, other = body(Evaluated("1", HASH, True)), body(Evaluated("2", "0" * 64, True))
    said = {"one": one, "list": [other, one], "report": {"version": 1, "evaluations": [other, one]}}
    path = tmp_path / "report.json"
    lines = "\n".join(json.dumps(each) for each in (other, one))
    path.write_text(lines if form == "lines" else json.dumps(said[form]))

    assert await begins(MemoryStore(), required=str(path))


async def test_a_database_of_evaluations_is_read(tmp_path: Path) -> None:
    path = tmp_path / "evaluations.db"
    async with System(path, actors=[Region(Evaluator)]) as system:
        system.ref(Evaluator, "e").tell(Evaluated("1", HASH, True))
        await soon(lambda: system.kernel.store.view(EVALUATION, "1"))

    assert await begins(MemoryStore(), required=path)


@pytest.mark.parametrize("text", ["", "no JSON", "{}", "[]", '{"manifest": 3, "passed": true}'])
async def test_a_file_without_evaluations_is_refused_at_the_opening(text: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(text)

    with pytest.raises(ValueError, match=f"^{path} holds no evaluations: "):
        await begins(MemoryStore(), required=path)


async def test_a_file_that_is_not_there_is_refused_at_the_opening(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        await begins(MemoryStore(), required=tmp_path / "none.json")


@pytest.mark.parametrize("wrong", [3, None, "", ["refuse"]])
def test_what_is_no_requirement_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"^require_evaluated=.*: give True or 'refuse', 'warn', False, or the path"):
        Runtime(agents=[AGENT], require_evaluated=wrong)  # type: ignore[arg-type]  # the mistake


async def test_the_evaluation_itself_is_let_through_and_its_baseline_counts(tmp_path: Path) -> None:
    agent, changed = (Agent("clerk", model=FunctionModel(lambda _: "Done."), prompt=one) for one in ("Brief.", "Kind."))
    path = tmp_path / "baseline.json"

    report = await evaluate(Runtime(agents=[agent], require_evaluated=True), [Case(name="a", inputs="Go.")], repeats=1)
    Baseline.of(report).save(path)

    async with Runtime(agents=[agent], require_evaluated=path) as runtime:
        assert await (await runtime.start(agent, "Go.")).result() == "Done."
    async with Runtime(agents=[changed], require_evaluated=path) as runtime:
        with pytest.raises(NotEvaluated, match=r"--cases CASES"):
            await runtime.start(changed, "Go.")


async def test_the_next_run_of_a_conversation_is_a_run_that_begins() -> None:
    store = MemoryStore()
    async with Runtime(store=store, agents=[AGENT]) as runtime:
        run = await runtime.start(AGENT, "Go.", thread="tide")
        await run.result(timeout=5)

    async with Runtime(store=store, agents=[AGENT], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated):
            await (await runtime.run(run.id)).send("And then?")
        with pytest.raises(NotEvaluated):
            await runtime.start(AGENT, "And then?", thread="tide")
        with pytest.raises(NotEvaluated):
            await runtime.start(AGENT, "Go.", thread="ebb")
        heard = await runtime._desk.orchestrator(run.id).ask(
            SendText(text="And then?", by="mia")
        )  # as a visitor posts it

        assert "has no stored evaluation" in heard.reason
        assert [one.run for one in await runtime.runs()] == [run.id]


async def test_what_is_said_to_a_run_under_way_begins_nothing_and_is_heard() -> None:
    store, agent = MemoryStore(), forked(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Go.", thread="tide")
        await until(run, "approval.requested")

    async with Runtime(store=store, agents=[agent], require_evaluated=True) as runtime:
        assert (await runtime.start(agent, "Hurry.", thread="tide")).id == run.id


async def test_a_sub_run_of_a_delegate_that_was_not_evaluated_does_not_begin() -> None:
    store, boss, under = MemoryStore(), forked(Ledger()), scripted("worked", name="worker")
    await evaluated(store, Evaluated("1", manifest(boss).hash, True))
    async with Runtime(store=store, agents=[boss, under], require_evaluated=True) as runtime:
        run = await runtime.start(boss, "Go.", key="k")
        with pytest.raises(NotEvaluated, match="agent 'worker' as it is now"):
            await runtime.start(under, "Work.", parent=run, key="k")
        start = StartRun(agent="worker", goal="Work.", key="p", manifest=manifest(under).hash)
        verdict = await runtime._desk.orchestrator(run.id).ask(StartChild(run="child", start=start))  # as a plan does

        assert isinstance(verdict, Verdict)
        assert "agent 'worker' as it is now" in verdict.reason
        assert [one.run for one in await runtime.runs()] == [run.id]


async def test_a_fork_that_a_visitor_posted_is_looked_at_too() -> None:
    store, agent = MemoryStore(), forked(Ledger())
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await ended(runtime, agent)
        at = (await standing_at(store, run.id, None)).position

    async with Runtime(store=store, agents=[agent], require_evaluated=True) as runtime:
        posted = ForkRun(run=run.id, at=at, agent=agent.name, key="", manifest=manifest(agent).hash, by="mia")
        refusal = await runtime._desk.orchestrator("f0f0f0f0f0f0").ask(posted)

    assert "has no stored evaluation" in refusal


async def test_a_key_like_that_of_a_trial_lets_nothing_through() -> None:
    store = MemoryStore()
    async with Runtime(store=store, agents=[AGENT], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated):
            await runtime.start(AGENT, "Go.", key="evaluation/none/case/1")


async def test_the_sub_runs_of_a_trial_are_trials() -> None:
    store, boss, under = MemoryStore(), forked(Ledger()), scripted("worked", name="worker")
    async with Runtime(store=store, agents=[boss, under]) as runtime:
        run = await runtime.start(boss, "Go.", key="evaluation/one/case/1")

    async with Runtime(store=store, agents=[boss, under], require_evaluated=True) as runtime:
        with pytest.raises(NotEvaluated):  # a key alone can claim anything
            await runtime.start(under, "Work.", parent=await runtime.run(run.id), key="k")
        with bench_of(runtime).conducted("one"):
            child = await runtime.start(under, "Work.", parent=await runtime.run(run.id), key="k")

            assert await child.result(timeout=5) == "worked"
            assert (await child.status()).key == "evaluation/one/case/1/k"
