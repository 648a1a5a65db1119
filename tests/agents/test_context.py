"""A run whose model sees a part of a long conversation: within its budget, in its order, explained."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from choragus.agents.agent import Agent
from choragus.agents.context import condensing
from choragus.agents.context.assembly import assemble
from choragus.agents.context.handover import working_context
from choragus.agents.context.option import SECTIONS, Context
from choragus.agents.context.reading import Contexts
from choragus.agents.context.strategy import DropResults, MessageRule, Strategy, Summarise, Window
from choragus.agents.errors import AgentError, AgentFault, LimitReached, ModelError
from choragus.agents.fork import whole_conversation
from choragus.agents.ledger import Ledger
from choragus.agents.limits import Limits
from choragus.agents.manifest import manifest
from choragus.agents.model import ChatMessage, ModelReply, ModelRequest, Price, ToolCall, Usage, tokens
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel
from choragus.agents.stream import context_stream

from .context_play import GOAL, Heard, explained, looker, pairs_are_whole, seen, walker
from .play import data, kinds, soon

BUDGET = 1_500


def every_way(heard: Heard) -> tuple[Strategy, ...]:
    """All strategies; the budget makes each of them work."""
    return (
        MessageRule(then="pin", contains="seen 3 "),
        DropResults(older_than=2),
        MessageRule(then="shorten", role="tool", larger_than=300, to=200),
        Summarise(model=FunctionModel(heard.summarise, name="small"), keep_tokens=400),
        Window(tokens=600),
    )


async def test_without_a_context_a_run_is_as_it_was() -> None:
    heard = Heard()
    agent = walker(None, heard, steps=5)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        assembled = await data(run, "memory.assembled")

        assert (await runtime.store.extent(context_stream(run.id))).last == 0
        assert all(set(one) == {"actor", "step", "messages"} for one in assembled)
        await explained(run, heard)


async def test_a_context_that_fits_is_the_whole_conversation() -> None:
    heard, plain = Heard(), Heard()
    for agent in (walker(Context(budget_tokens=50_000), heard, steps=5), walker(None, plain, steps=5)):
        async with Runtime(agents=[agent]) as runtime:
            run = await runtime.start(agent, GOAL)
            await run.result()
            decisions = await runtime.store.read(context_stream(run.id))
            assert [one.kind for one in decisions] == (["framed"] if agent.context else [])

    assert heard.requests == plain.requests


async def test_the_context_of_a_run_is_pruned_with_it() -> None:
    agent = walker(Context(budget_tokens=50_000), Heard(), steps=2)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

        async def pruned() -> bool:
            return run.id in (await runtime.prune(older_than=0)).runs

        await soon(pruned)
        extent = await runtime.store.extent(context_stream(run.id))
        assert extent.first > extent.last


async def test_an_earlier_context_can_be_read_behind_a_later_one() -> None:
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=[Window(tokens=500)]), heard, steps=20)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        steps = [(int(str(one["messages"])), int(str(one["context"]))) for one in await data(run, "memory.assembled")]
        lines = await whole_conversation(runtime.store, run.id)

        async def conversation(run: str, upto: int) -> list[ChatMessage]:
            return lines

        contexts = Contexts(runtime.store, conversation)
        read = [assemble(await contexts.at(run.id, *step)).messages for step in reversed(steps)]

    assert read == [request.messages for request in reversed(heard.requests)]


async def test_a_long_run_stays_within_its_budget_and_explains_each_of_its_calls() -> None:
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=every_way(heard)), heard, steps=45)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result() == "done after 45"
        assembled = await data(run, "memory.assembled")
        compacted = {str(one["by"]).split()[0] for one in await data(run, "memory.compacted")}

        assert compacted == {"rule", "drop_results", "summarise"}
        assert [one["tokens"] for one in assembled] == list(map(tokens, heard.requests))
        assert max(map(tokens, heard.requests)) <= BUDGET
        assert all(pairs_are_whole(request.messages) for request in heard.requests)
        for request in heard.requests[5:]:
            texts = [message.text for message in request.messages]
            assert texts[0] == GOAL
            assert any(text.startswith('"seen 3 ') for text in texts)
        await explained(run, heard)


async def test_what_was_left_out_is_explained() -> None:
    heard = Heard()
    ways = [Summarise(model=FunctionModel(heard.summarise, name="small"), keep_tokens=400)]
    agent = walker(Context(budget_tokens=BUDGET, compaction=ways), heard, steps=30)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        told = await run.explain()

    gone = {line for one in told.left_out for line in range(one.first, one.last + 1)}
    shown = {one.position for one in told.pieces if one.position}
    assert gone | shown == set(range(1, told.messages + 1))
    assert not gone & shown
    assert "which is in summary" in told.left_out[0].why
    assert told.budget_tokens == BUDGET
    assert [one.why.split(",")[0] for one in told.pieces if one.section == "summary"] == [
        f"summary {len(heard.summaries)}"
    ]


async def test_the_explanation_of_a_step_that_is_not_there_says_which_are() -> None:
    agent = walker(None, Heard(), steps=2)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

        with pytest.raises(AgentError, match=r"for step 9: it has steps 1 to 3$"):
            await run.explain(9)


async def test_the_sections_stand_in_the_order_that_was_asked_for() -> None:
    heard = Heard()
    order = [name for name in SECTIONS if name not in ("pinned", "summary")]
    order = [*order[:2], "summary", "pinned", *order[2:]]
    ways = [Summarise(model=FunctionModel(heard.summarise), keep_tokens=400)]
    agent = walker(Context(budget_tokens=BUDGET, order=order, compaction=ways), heard)
    async with Runtime(agents=[agent]) as runtime:
        await (await runtime.start(agent, GOAL)).result()

    first, second, *_ = (message.text for message in heard.requests[-1].messages)
    assert (first.startswith("[Summary"), second) == (True, GOAL)


async def test_a_context_that_cannot_fit_ends_the_run_and_says_what_to_do() -> None:
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=[Window()]), heard, size=8_000)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        with pytest.raises(LimitReached, match=r"context is limited to 1,500 tokens, and 2,\d+ .* of them recent"):
            await run.result(5)
        (reached,) = await data(run, "limit.reached")

    assert reached["limit"] == "context"
    assert len(heard.requests) == 1


async def test_a_summary_costs_what_it_costs() -> None:
    heard = Heard()
    small = FunctionModel(heard.summarise, name="small")
    ways = [Summarise(model=small, keep_tokens=400)]
    limits = Limits(steps=100, tokens=500_000)
    agent = walker(Context(budget_tokens=BUDGET, compaction=ways), heard, steps=20, limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        status = await run.status()
        spent = await data(run, "budget.spent")
        (first, *_) = [one for one in await data(run, "memory.compacted") if "model" in one]

    assert status.steps == len(heard.requests) == 21
    assert status.input_tokens == sum(map(tokens, [*heard.requests, *heard.summaries]))
    assert sum(int(str(one["input_tokens"])) for one in spent) == status.input_tokens
    assert (first["model"], first["tokens_before"] > first["tokens_after"]) == ("small", True)  # type: ignore[operator]  # numbers


@pytest.mark.parametrize(
    "broken",
    [ModelError("no"), ModelReply("half a", stop="length"), "", "x" * 9_000],
    ids=["fails", "is cut off", "says nothing", "is too long"],
)
async def test_without_a_summary_the_next_strategy_has_its_turn(broken: ModelReply | str | ModelError) -> None:
    heard = Heard()

    def small(request: ModelRequest) -> ModelReply | str:
        if isinstance(broken, ModelError):
            raise broken
        return broken

    ways: list[Strategy] = [Summarise(model=FunctionModel(small), keep_tokens=400), Window(tokens=600)]
    agent = walker(Context(budget_tokens=BUDGET, compaction=ways), heard)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result(5) == "done after 20"
        failed = await data(run, "memory.summary_failed")
        by = {one["by"] for one in await data(run, "memory.compacted")}

    assert failed
    assert by == {"window 2"}
    assert max(map(tokens, heard.requests)) <= BUDGET


async def test_a_summary_for_which_there_is_no_budget_is_not_made() -> None:
    heard = Heard()
    small = FunctionModel(heard.summarise, max_output_tokens=10**9)
    ways: list[Strategy] = [Summarise(model=small, keep_tokens=400), Window()]
    agent = walker(Context(budget_tokens=BUDGET, compaction=ways), heard, limits=Limits(steps=30, tokens=900_000))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result(5) == "done after 20"

        assert "tokens is limited to" in str((await data(run, "memory.summary_failed"))[0]["reason"])
        assert heard.summaries == []


class Boundless(FunctionModel):
    """A model that cannot tell what it may use."""

    def estimate(self, request: ModelRequest) -> Usage:
        """Nobody knows."""
        raise RuntimeError("who knows")


async def test_a_summary_whose_cost_nobody_can_tell_is_not_made() -> None:
    """Also in the turn that has made the context smaller in another way before."""
    heard = Heard()
    summarise = Summarise(model=Boundless(heard.summarise), keep_tokens=300)
    ways: list[Strategy] = [DropResults(older_than=4), summarise, Window()]
    agent = walker(Context(budget_tokens=700, compaction=ways), heard, limits=Limits(steps=30, tokens=900_000))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result(5) == "done after 20"

        assert "nobody can tell" in str((await data(run, "memory.summary_failed"))[0]["reason"])
        assert heard.summaries == []


async def test_a_model_that_is_busy_is_asked_for_its_summary_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condensing, "RETRY", 0.001)
    heard, failures = Heard(), [ModelError("busy", retryable=True)] * 2

    def small(request: ModelRequest) -> str:
        if failures:
            raise failures.pop()
        return heard.summarise(request)

    ways = [Summarise(model=FunctionModel(small), keep_tokens=400)]
    agent = walker(Context(budget_tokens=BUDGET, compaction=ways), heard, steps=16)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result(5) == "done after 16"

        assert [one["tries"] for one in await data(run, "memory.summary_failed")] == [1, 2]
    assert len(heard.summaries) == 1


async def test_the_last_answer_at_a_limit_is_explained_too() -> None:
    heard = Heard()
    limits = Limits(steps=4, at_limit="degrade")
    agent = walker(Context(budget_tokens=BUDGET), heard, limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        assert await run.result(5) == "done after 3"
        told = await run.explain()

    request = heard.requests[-1]
    assert (told.step, told.tools, told.pieces[-1].section) == (4, (), "last")
    assert [one.text for one in told.lines] == [one.text for one in request.messages]
    assert told.tokens == tokens(request)


async def test_the_work_of_a_step_does_not_grow_with_the_run() -> None:
    """What is decided is small, and what is shown is bounded: the last steps write and read what the early ones did."""
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=every_way(heard)), heard, steps=40)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        entries = await runtime.store.read(context_stream(run.id), 0, 10_000)

    sizes = [len(entry.body) for entry in entries[1:]]
    assert max(sizes) < 1_000
    assert len(entries) < 2.5 * 40


@pytest.mark.slow
async def test_300_steps_cost_no_more_a_step_than_100() -> None:
    async def took(steps: int) -> float:
        heard = Heard()
        agent = walker(Context(budget_tokens=4_000, compaction=every_way(heard)), heard, steps=steps)
        async with Runtime(agents=[agent]) as runtime:
            started = time.perf_counter()
            await (await runtime.start(agent, GOAL)).result()
            assert max(map(tokens, heard.requests)) <= 4_000
            return (time.perf_counter() - started) / steps

    await took(30)
    assert await took(300) < 1.6 * await took(100)


async def test_a_fork_sees_what_its_parent_saw() -> None:
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=every_way(heard)), heard, steps=24)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()
        lines = [event async for event in run.past()]
        before = list(heard.requests)
        for line in [one for one in lines if one.kind == "model.replied"][9:20:5]:
            step = int(str(line.data["step"]))
            heard.requests.clear()
            fork = await runtime.fork(run.id, at=line.position)
            assert await fork.result() == "done after 24"
            assert heard.requests == before[step:], step


async def test_a_thread_goes_on_from_the_working_context() -> None:
    heard = Heard()
    agent = walker(Context(budget_tokens=BUDGET, compaction=every_way(heard)), heard, steps=30)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

        handed = await working_context(runtime.store, run.id)

    last = heard.requests[-1].messages
    assert [one.text for one in handed] == [*(one.text for one in last), "done after 30"]
    assert pairs_are_whole(handed)


async def test_a_thread_of_a_run_without_a_context_goes_on_from_all_of_it() -> None:
    agent = walker(None, Heard(), steps=3)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

        handed = await working_context(runtime.store, run.id)

    assert [one.role for one in handed] == ["user", *["assistant", "tool"] * 3, "assistant"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"budget_tokens": 0}, "budget_tokens=0 is no budget"),
        ({"budget_tokens": 900, "order": ["recent"]}, "give each of instructions, blocks"),
        ({"budget_tokens": 900, "compaction": ["window"]}, "'window' is no strategy"),
        ({"budget_tokens": 900, "blocks": ["notes"]}, "give a list of Block"),
        ({"budget_tokens": 900, "retrieve": ["notes"]}, "'notes' is no Retriever"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_context_says_what_is_wrong_with_it(options: dict[str, object], said: str) -> None:
    with pytest.raises(AgentFault, match=said):
        Context(**options)  # type: ignore[arg-type]  # that is what is tried


@pytest.mark.parametrize(
    "make",
    [
        lambda: Window(messages=1, tokens=1),
        lambda: Window(messages=0),
        lambda: DropResults(older_than=0),
        lambda: DropResults(keep="look"),
        lambda: MessageRule(then="keep"),  # type: ignore[arg-type]  # that is what is tried
        lambda: MessageRule(then="pin", role="system"),  # type: ignore[arg-type]  # that is what is tried
        lambda: Summarise(model="cheap"),  # type: ignore[arg-type]  # that is what is tried
    ],
)
def test_a_strategy_says_what_is_wrong_with_it(make: object) -> None:
    with pytest.raises(AgentFault):
        make()  # type: ignore[operator]  # a function


def test_a_budget_that_leaves_no_room_is_refused_when_the_agent_is_made() -> None:
    with pytest.raises(AgentFault, match=r"has a budget of 20 tokens, and instructions, tools, .* may take \d+"):
        walker(Context(budget_tokens=20), Heard())


def test_a_context_is_part_of_the_identity_of_its_agent_and_none_is_not() -> None:
    def identity(context: Context | None) -> str:
        return manifest(walker(context, Heard())).hash

    contexts: Sequence[Context | None] = (
        None,
        Context(budget_tokens=900),
        Context(budget_tokens=901),
        Context(budget_tokens=900, compaction=[Window(messages=9)]),
        Context(budget_tokens=900, compaction=[Summarise(prompt="Shorter!")]),
    )
    assert len({identity(one) for one in contexts}) == len(contexts)
    assert "context" not in manifest(walker(None, Heard())).as_dict()


async def test_no_logbook_line_is_added_without_a_context() -> None:
    agent = walker(None, Heard(), steps=1)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

        assert (await kinds(run)).count("memory.assembled") == 2
        assert not [kind for kind in await kinds(run) if kind.startswith("memory.") and kind != "memory.assembled"]


async def test_a_model_that_counts_more_than_was_estimated_is_believed_from_then_on() -> None:
    heard = Heard()

    def model(request: ModelRequest) -> ModelReply:
        heard.requests.append(request)
        n = max((seen(message) for message in request.messages), default=0)
        usage = Usage(input_tokens=tokens(request) * 3 // 2, output_tokens=9)
        call = ToolCall(f"c{n}", "look", {"n": n})
        return ModelReply("done", usage=usage) if n >= 20 else ModelReply(calls=(call,), usage=usage)

    context = Context(budget_tokens=BUDGET, compaction=[Window(tokens=500)])
    agent = Agent("walker", model=FunctionModel(model), tools=[looker()], context=context)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, GOAL)
        await run.result()

    counted = [tokens(request) * 3 // 2 for request in heard.requests]
    assert BUDGET * 3 // 4 < max(counted) <= BUDGET


async def test_a_summary_is_paid_from_the_ledger_that_the_run_draws_on() -> None:
    heard = Heard()
    small = FunctionModel(heard.summarise, price=Price(input_per_million=1_000.0))
    agent = walker(Context(budget_tokens=BUDGET, compaction=[Summarise(model=small, keep_tokens=400)]), heard)
    async with Runtime(agents=[agent], ledgers=[Ledger("team", cost_usd=50.0)]) as runtime:
        run = await runtime.start(agent, GOAL, ledgers=["team"])
        await run.result(5)

        async def settled() -> bool:
            (team,) = await runtime.ledgers()
            return team.cost_usd == pytest.approx(sum(map(tokens, heard.summaries)) / 1_000)

        await soon(settled)
    assert heard.summaries
