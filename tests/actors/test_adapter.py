"""R44: refs for those who speak another protocol."""

from __future__ import annotations

import asyncio

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import DeadLetter, Event, Failed, Restarted
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.actors.watch import Terminated
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

MANY = OneForOne(max_restarts=100, within=600.0)


@frozen
class Text(Request[None]):
    text: str


@frozen
class Number:
    value: int


@frozen
class Give(Request[Ref[Text]]):
    pass


def parsed(text: Text) -> Number:
    return Number(int(text.text))


class Sum(Actor[Number | Give]):
    def __init__(self, seen: list[int]) -> None:
        self.seen = seen

    @handle
    def add(self, message: Number) -> None:
        self.seen.append(message.value)

    @handle
    def give(self, message: Give) -> Ref[Text]:
        return self.adapter(parsed)


def tree(seen: list[int]) -> Supervisor:
    return Supervisor(name="top", strategy=MANY, children=[Child(Sum, name="sum", args=(seen,))])


@simulated(seeds=range(5))
async def test_what_comes_through_an_adapter_is_translated_and_keeps_its_place() -> None:
    seen: list[int] = []
    async with System(tree=tree(seen), clock=clock) as system:
        sums = system.find(Sum, "top/sum")
        adapter = await sums.ask(Give())
        adapter.tell(Text("1"))
        sums.tell(Number(2))
        await adapter.send(Text("3"))
        await settled()

    assert seen == [1, 2, 3]


@simulated(seeds=range(5))
async def test_r44_an_error_in_the_translation_is_the_actors_failure() -> None:
    seen: list[int] = []
    events: list[Event] = []
    async with System(tree=tree(seen), clock=clock) as system:
        adapter = await system.find(Sum, "top/sum").ask(Give())
        system.events.subscribe(events.append)
        for text in ("1", "x", "3"):
            adapter.tell(Text(text))
        await settled()

    assert seen == [1, 3]
    assert [type(event) for event in events] == [Failed, Restarted]
    assert isinstance(events[0], Failed)
    assert (events[0].message, type(events[0].error)) == ("Text", ValueError)


@simulated(seeds=range(2))
async def test_an_adapter_cannot_be_asked() -> None:
    async with System(tree=tree([]), clock=clock) as system:
        adapter = await system.find(Sum, "top/sum").ask(Give())

        with pytest.raises(TypeError, match=r"^top/sum cannot be asked through an adapter"):
            await adapter.ask(Text("1"))


@simulated(seeds=range(3))
async def test_an_adapter_works_for_the_next_incarnation_and_has_the_actors_end() -> None:
    ends: list[object] = []
    seen: list[int] = []
    async with System(tree=tree(seen), clock=clock) as system:
        adapter = await system.find(Sum, "top/sum").ask(Give())
        adapter.when_ended(ends.append)
        adapter.tell(Text("x"))
        await settled()
        adapter.tell(Text("2"))
        await settled()

        assert (seen, ends) == ([2], [])
    assert len(ends) == 1


@simulated(seeds=range(3))
async def test_what_comes_for_one_that_has_ended_is_a_dead_letter() -> None:
    letters: list[Event] = []
    async with System(tree=tree([]), clock=clock) as system:
        adapter = await system.find(Sum, "top/sum").ask(Give())
        system.events.subscribe(letters.append, DeadLetter)
        await system.supervisor("top").stop_child("sum")
        adapter.tell(Text("1"))

    assert [event.actor for event in letters] == ["top/sum"]


@simulated(seeds=range(3))
async def test_the_translation_runs_as_the_actor() -> None:
    """In its turn, and with none of the sender's context."""
    order: list[str] = []

    def slow(text: Text) -> Number:
        order.append(f"translated {text.text}")
        return Number(0)

    class Slow(Actor[Number | Give | Terminated]):
        @handle
        async def add(self, message: Number) -> None:
            await asyncio.sleep(1)
            order.append("handled")

        @handle
        def give(self, message: Give) -> Ref[Text]:
            return self.adapter(slow)

        @handle
        def end(self, message: Terminated) -> None:
            """Nothing."""

    async with System(clock=clock) as system:
        adapter = await (await system.spawn(Slow)).ask(Give())
        adapter.tell(Text("1"))
        adapter.tell(Text("2"))
        await asyncio.sleep(5)

    assert order == ["translated 1", "handled", "translated 2", "handled"]
