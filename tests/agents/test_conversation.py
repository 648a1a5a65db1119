"""A run is a conversation: what is said while it goes on is read next, and what is said later begins the next run."""

from __future__ import annotations

import asyncio

import attrs
import pytest

from choragus.actors.testing.simulation import simulated
from choragus.agents.conversing import MOST_WAITING
from choragus.agents.errors import AgentFault, Cancelled, Denied, Held, Paused, TextRefused
from choragus.agents.ledger import Ledger as Account
from choragus.agents.limits import Limits
from choragus.agents.message import ORCHESTRATOR, StartRun
from choragus.agents.model import ChatMessage, Image, ModelRequest
from choragus.agents.orchestrator import Orchestrator
from choragus.agents.policy import Ask, Check, Deny, End, Rewrite, Stage, Verdict
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import Answer
from choragus.agents.speaking import LARGEST_IMAGES, LARGEST_TEXT
from choragus.agents.speech import SendText
from choragus.agents.state import Status
from choragus.agents.tool import Tool, tool
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import encode
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Envelope

from .play import Ledger, Rule, answering, call, calls, data, eventually, fail, kinds, soon, tools, until


class Gate:
    """A model and a tool that wait until they are let; the model answers with what it read last."""

    def __init__(self, *first: Answer) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()
        self.first = list(first)
        self.read: list[tuple[ChatMessage, ...]] = []

    async def answer(self, request: ModelRequest) -> Answer:
        """The next of the first answers, or the last line."""
        self.read.append(request.messages)
        self.entered.set()
        await self.open.wait()
        return self.first.pop(0) if self.first else f"to {request.messages[-1].text}"

    def tool(self) -> Tool:
        """A tool that waits too."""

        @tool(risk="irreversible")
        async def work() -> str:
            """Work."""
            await asyncio.sleep(3600)
            return "worked"

        return work


def echo(request: ModelRequest) -> Answer:
    """Answer with the last line."""
    return f"to {request.messages[-1].text}"


def said(messages: tuple[ChatMessage, ...]) -> list[tuple[str, str]]:
    """Who says what."""
    return [(one.role, one.text) for one in messages]


@simulated(seeds=range(5))
async def test_a_text_during_a_model_call_is_read_next_and_the_reply_is_kept() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()

        same = await run.send("two", by="mia")
        gate.open.set()

        assert await run.result(5) == "to two"
        assert same.id == run.id
        assert said(gate.read[-1]) == [("user", "one"), ("assistant", "to one"), ("user", "two")]
        assert len(gate.read) == 2
        (told,) = await data(run, "text.received")
        assert (told["by"], told["said"], told["text"]) == ("mia", "two", "text-1")


@simulated(seeds=range(5))
async def test_a_text_during_a_tool_call_stands_behind_its_result() -> None:
    begun, let = asyncio.Event(), asyncio.Event()

    @tool(risk="read")
    async def look() -> str:
        """Look."""
        begun.set()
        await let.wait()
        return "seen"

    gate = Gate(calls(call("look")))
    gate.open.set()
    agent = answering(gate.answer, tools=[look])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await begun.wait()
        await run.send("two")
        await run.send("three")
        let.set()

        assert await run.result(5) == "to three"
        assert said(gate.read[1])[2:] == [("tool", '"seen"'), ("user", "two"), ("user", "three")]


@simulated(seeds=range(3))
async def test_a_text_beside_the_goal_is_read_with_it() -> None:
    rule = Rule(Stage.INPUT, lambda check: None)
    gate = Gate()
    agent = answering(gate.answer, policies=[rule])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.send("two")
        gate.open.set()
        await (await runtime.thread(run)).runs()

        assert (await run.result(5)).startswith("to ")
        users = [one.text for one in gate.read[-1] if one.role == "user"]
        assert users == ["one", "two"]


def _refuses(check: Check) -> Verdict | None:
    return Deny("no swearing") if "damn" in check.text else None


@simulated(seeds=range(3))
async def test_a_text_that_a_policy_refuses_is_told_to_its_sender_and_ends_nothing() -> None:
    gate = Gate()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, _refuses)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()

        with pytest.raises(TextRefused, match="no swearing"):
            await run.send("damn")
        await run.send("two")
        gate.open.set()

        assert await run.result(5) == "to two"
        assert ("user", "damn") not in said(gate.read[-1])
        (refused,) = await data(run, "text.refused")
        assert refused["reason"] == "no swearing"


async def test_a_text_is_read_as_a_policy_rewrites_it() -> None:
    gate = Gate()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, lambda check: Rewrite(text=check.text.upper()))])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")
        gate.open.set()

        assert await run.result(5) == "to TWO"


async def test_a_policy_may_end_the_run_over_a_text() -> None:
    gate = Gate()
    agent = answering(
        gate.answer, policies=[Rule(Stage.INPUT, lambda check: End("out") if "x" in check.text else None)]
    )
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()

        with pytest.raises(TextRefused, match="out"):
            await run.send("x")

        with pytest.raises(Denied, match="out"):
            await run.result(5)


def _asks(check: Check) -> Verdict | None:
    return Ask("look first") if check.text == "two" else None


@pytest.mark.parametrize("approved", [True, False])
async def test_an_answer_is_held_back_while_a_person_decides_about_a_text(approved: bool) -> None:
    gate = Gate()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, _asks)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")
        gate.open.set()
        await until(run, "model.replied")

        async def held_back() -> bool:
            return (await run.status()).phase == "judge"

        await soon(held_back)
        status, doing = await run.status(), await run.doing()
        (approval,) = await run.pending()
        await (approval.approve(by="mia") if approved else approval.deny(by="mia"))

        assert await run.result(5) == ("to two" if approved else "to one")
        assert (status.status, status.waits) == (Status.WAITING, ("text-1: approval",))
        assert doing == "step 1: has answered; a text that was sent to it waits for approval; 1 unread text"


async def test_texts_keep_their_order_behind_one_that_is_judged() -> None:
    gate = Gate()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, _asks)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")
        await run.send("three")
        gate.open.set()
        await until(run, "model.replied")
        (approval,) = await run.pending()
        await approval.approve(by="mia")

        assert await run.result(5) == "to three"
        assert said(gate.read[-1])[2:] == [("user", "two"), ("user", "three")]


async def test_a_text_to_a_run_that_has_ended_begins_the_next_run() -> None:
    gate = Gate()
    gate.open.set()
    agent = answering(gate.answer, limits=Limits(steps=1))
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "one")
        await first.result(5)

        second = await first.send("two")

        assert await second.result(5) == "to two", "with a budget of its own"
        assert said(gate.read[-1]) == [("user", "one"), ("assistant", "to one"), ("user", "two")]
        before, after = await first.status(), await second.status()
        assert (before.followed_by, after.follows) == (second.id, first.id)
        assert (before.thread, after.thread, after.carried) == (first.id, first.id, 2)
        assert (await kinds(first)).count("run.ended") == 1
        (started,) = await data(second, "run.started")
        assert (started["follows"], started["carried"]) == (first.id, 2)


@simulated(seeds=range(5))
async def test_texts_to_a_run_that_has_ended_all_go_to_the_same_next_run_in_order() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "one")
        gate.open.set()
        await first.result(5)
        gate.open.clear()

        second = await first.send("two")
        again = await asyncio.gather(*(first.send(text) for text in ("three", "four")))
        last = await first.send("five")
        gate.open.set()
        await second.result(5)

        assert {second.id} == {one.id for one in [*again, last]}
        users = [one.text for one in gate.read[-1] if one.role == "user"]
        assert (users[:2], sorted(users[2:4]), users[4:]) == (["one", "two"], ["four", "three"], ["five"])


async def test_a_text_is_said_once_under_its_key_whoever_has_taken_it() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "one", thread="t", key="1")
        await gate.entered.wait()
        taken = [await first.send("two", key="2"), await first.send("two", key="2")]
        gate.open.set()
        await first.result(5)
        taken += [await first.send("two", key="2")]
        second = await first.send("three", key="3")
        await second.result(5)
        later = [await first.send("three", key="3"), await second.send("two", key="2")]
        goal = await runtime.start(agent, "one", thread="t", key="1")

        assert [one.id for one in taken] == [first.id] * 3
        assert [one.id for one in later] == [second.id, first.id]
        assert goal.id == first.id
        users = [line.text async for line in (await runtime.thread("t")).history() if line.role == "user"]
        assert users == ["one", "two", "three"]


async def test_the_next_run_knows_of_the_calls_that_the_end_came_between() -> None:
    """A model that did not know that it had paid might pay again."""
    gate = Gate(calls(call("look", "a", at="x"), call("work", "b")))
    gate.open.set()
    agent = answering(gate.answer, tools=[*tools(Ledger()), gate.tool()])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await until(run, "approval.requested")
        await soon(lambda: data(run, "call.finished"))
        await run.cancel()

        second = await run.send("two")

        assert await second.result(5) == "to two"
        assert [one.role for one in gate.read[-1]] == ["user", "assistant", "tool", "tool", "user"]
        assert gate.read[-1][2].text == '"seen x"'
        assert gate.read[-1][3].text.startswith("interrupted: the run ended (cancelled) while work had no result")
        thread = await runtime.thread(run)
        assert [line.role async for line in thread.history()] == [
            "user",
            "assistant",
            "tool",
            "tool",
            "user",
            "assistant",
        ]


async def test_texts_that_were_not_read_when_a_run_was_cancelled_are_read_by_the_next() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")
        await run.cancel()
        gate.open.set()

        second = await run.send("three")

        with pytest.raises(Cancelled):
            await run.result(5)
        assert await second.result(5) == "to three"
        assert said(gate.read[-1]) == [("user", "one"), ("user", "two"), ("user", "three")]


async def test_a_text_that_is_not_judged_when_the_run_ends_is_refused() -> None:
    gate = Gate()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, _asks)])
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")

        await run.cancel()

        (refused,) = await data(run, "text.refused")
        assert refused["reason"] == "the run has ended (cancelled) before it was judged: send it again"


async def test_a_text_to_a_paused_run_is_read_when_it_goes_on() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.pause(by="mia")
        await run.send("two")
        gate.open.set()
        await eventually(run, "text.read")
        read = len(gate.read)

        await run.resume(by="mia")

        assert await run.result(5) == "to two"
        assert read == 1


async def test_a_paused_runtime_begins_no_next_run() -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)
        await runtime.pause(by="mia")

        with pytest.raises(Paused, match="paused by mia"):
            await run.send("two")

        await runtime.resume(by="mia")
        assert await (await run.send("three")).result(5) == "to three"


async def test_a_next_run_that_cannot_begin_is_told_to_the_sender(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent], attempts=1) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)
        fail(monkeypatch, Orchestrator, StartRun, 1)

        with pytest.raises(TextRefused, match="it could not begin"):
            await run.send("two")


async def test_a_text_at_a_ceiling_is_left_for_the_next_run() -> None:
    """The run's last answer is its last."""
    gate = Gate(calls(call("look", at="x")))
    limits = Limits(steps=2, at_limit="degrade")
    agent = answering(gate.answer, tools=tools(Ledger()), limits=limits)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        gate.open.set()
        await until(run, "run.degraded")
        gate.open.clear()
        await run.send("two")
        gate.open.set()
        await run.result(5)

        second = await run.send("three")

        await second.result(5)
        users = [one.text for one in gate.read[-1] if one.role == "user" and not one.text.startswith("A limit")]
        assert users == ["one", "two", "three"]


async def test_s12_the_next_run_has_the_tools_and_ledgers_of_the_one_before_and_no_more() -> None:
    agent = answering(echo, tools=tools(Ledger()))
    async with Runtime(agents=[agent], ledgers=[Account("team", cost_usd=5.0)]) as runtime:
        above = await runtime.start(agent, "above", tools=["look", "book"], ledgers=["team"])
        await above.result(5)

        next_one = await above.send("more")
        after_that = await next_one.send("still more")

        await after_that.result(5)
        assert [one["tools"] for one in await data(after_that, "run.granted")] == [["look", "book"]]
        state = await runtime.store.load(actor_id(ORCHESTRATOR, after_that.id))
        assert state.state is not None
        assert b"team" in state.state.body


async def test_s12_what_follows_a_sub_run_has_no_more_tools_than_that() -> None:
    ledger = Ledger()
    gate = Gate()
    agent = answering(gate.answer, tools=tools(ledger))
    async with Runtime(agents=[agent], ledgers=[Account("team", cost_usd=5.0)]) as runtime:
        above = await runtime.start(agent, "above", tools=["look"], ledgers=["team"])
        below = await runtime.start(agent, "below", parent=above, key="b")
        gate.open.set()
        await below.result(5)

        following = await below.send("more")

        await following.result(5)
        assert [one["tools"] for one in await data(following, "run.granted")] == [["look"]]
        state = await runtime.store.load(actor_id(ORCHESTRATOR, following.id))
        assert state.state is not None
        assert b"team" in state.state.body


async def test_the_next_run_is_on_the_agent_as_it_is_now() -> None:
    store, agent = MemoryStore(), answering(echo)
    async with Runtime(store=store, agents=[agent]) as runtime:
        first = await runtime.start(agent, "one", thread="t")
        await first.result(5)

    changed = attrs.evolve(agent, limits=Limits(steps=9))
    async with Runtime(store=store, agents=[changed]) as runtime:
        second = await runtime.start(changed, "two", thread="t")

        assert await second.result(5) == "to two"
        hashes = {one.manifest for one in await (await runtime.thread("t")).runs()}
        assert len(hashes) == 2


async def test_a_run_whose_agent_is_gone_says_so() -> None:
    store, agent, other = MemoryStore(), answering(echo), attrs.evolve(answering(echo), name="other")
    async with Runtime(store=store, agents=[agent]) as runtime:
        ended = await runtime.start(agent, "one")
        await ended.result(5)
        gate = Gate()
    async with Runtime(store=store, agents=[answering(gate.answer)]) as runtime:
        open_one = await runtime.start(runtime._agents["clerk"], "two")
        await gate.entered.wait()

    async with Runtime(store=store, agents=[other]) as runtime:
        with pytest.raises(TextRefused, match="'clerk' is not among the runtime's"):
            await (await runtime.run(ended.id)).send("more")
        with pytest.raises(Held):
            await (await runtime.run(open_one.id)).send("more")


async def test_s13_an_actor_says_nothing_in_the_name_of_a_person() -> None:
    store, agent = MemoryStore(), answering(echo)
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)
    receiver = actor_id(ORCHESTRATOR, run.id)
    for sender in ("choragus.memory/x", "visitor"):
        record = encode(SendText(text=f"said by {sender}", by="the boss"))
        await store.append([Envelope(id=sender, receiver=receiver, sender=sender, record=record)])

    async with Runtime(store=store, agents=[agent]) as runtime:
        await soon(lambda: data(run, "run.followed"))
        goals = [one.goal for one in await runtime.runs()]

    assert goals == ["one", "said by visitor"]


@pytest.mark.parametrize(
    ("text", "images", "why"),
    [
        (7, [], "the text is 7: give a str"),
        ("x" * (LARGEST_TEXT + 1), [], "1,000,001 characters"),
        ("x", ["picture"], "'picture' among the images is none"),
        ("x", [Image(media_type="image/png", data=bytes(LARGEST_IMAGES + 1))], "20,000,001 bytes"),
    ],
    ids=["no text", "long", "no image", "large"],
)
async def test_what_no_run_can_be_told_is_refused_at_once(text: str, images: list[Image], why: str) -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        with pytest.raises(AgentFault, match=why):
            await run.send(text, images)
        if isinstance(text, str) and images:
            with pytest.raises(AgentFault, match=why):
                await runtime.start(agent, text, images=images)
        await run.result(5)


async def test_pictures_are_seen_beside_the_text() -> None:
    gate = Gate()
    gate.open.set()
    agent = answering(gate.answer)
    dot, dash = (Image(media_type="image/png", data=one) for one in (b".", b"-"))
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one", images=[dot])
        await run.result(5)
        second = await run.send("two", [dash])
        await second.result(5)

        assert [one.images for one in gate.read[-1]] == [(dot,), (), (dash,)]


async def test_no_more_than_so_many_texts_wait() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        for number in range(MOST_WAITING):
            await run.send(str(number))

        with pytest.raises(TextRefused, match="100 texts wait already"):
            await run.send("one more")

        gate.open.set()
        assert await run.result(5) == f"to {MOST_WAITING - 1}"


async def test_a_fork_of_a_run_that_follows_another_has_what_that_had_left() -> None:
    gate = Gate()
    gate.open.set()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "one")
        await first.result(5)
        second = await first.send("two")
        await second.result(5)

        for at in (1, None):
            fork = await runtime.fork(second.id, at=at)
            await fork.result(5)
            assert said(gate.read[-1]) == [("user", "one"), ("assistant", "to one"), ("user", "two")]


async def test_a_fork_of_a_goal_that_is_still_judged_has_what_the_run_before_had_left() -> None:
    gate = Gate()
    gate.open.set()
    agent = answering(gate.answer, policies=[Rule(Stage.INPUT, _asks)])
    async with Runtime(agents=[agent]) as runtime:
        first = await runtime.start(agent, "one")
        await first.result(5)
        second = await first.send("two")
        await until(second, "approval.requested")

        fork = await runtime.fork(second.id)
        await until(fork, "approval.requested")
        (approval,) = await fork.pending()
        await approval.approve(by="mia")

        assert await fork.result(5) == "to two"
        assert said(gate.read[-1]) == [("user", "one"), ("assistant", "to one"), ("user", "two")]


async def test_a_run_that_was_told_more_is_forked_from_behind_its_first_answer() -> None:
    gate = Gate()
    agent = answering(gate.answer)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await gate.entered.wait()
        await run.send("two")
        gate.open.set()
        await run.result(5)

        fork = await runtime.fork(run.id)

        assert await fork.result(5) == "to two"
        assert said(gate.read[-1]) == [("user", "one"), ("assistant", "to one"), ("user", "two")]


async def test_a_run_that_nothing_is_sent_to_is_as_cheap_as_it_was() -> None:
    agent = answering(echo)
    async with Runtime(agents=[agent]) as runtime:
        run = await runtime.start(agent, "one")
        await run.result(5)

        lines = await kinds(run)
        assert lines == [
            *("run.started", "run.manifest", "phase", "memory.assembled", "phase", "budget.reserved"),
            *("model.replied", "phase", "run.ended", "budget.spent"),
        ]
        assert await runtime.store.views("said") == []
        assert (await runtime.store.extent(f"thread/{run.id}")).last == 0
