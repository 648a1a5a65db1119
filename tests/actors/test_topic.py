"""Topics: what is published reaches every subscriber, and no subscriber keeps it from another."""

from __future__ import annotations

import gc

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorStopped, Unhandled
from choragus.actors.event import DeadLetter
from choragus.actors.local_ref import LocalRef
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.probe import Probe
from choragus.actors.testing.simulation import simulated
from choragus.actors.topic import Topic, Topics
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch


@stored("test.topic.quote")
@frozen
class Quote:
    price: int


@frozen
class LateQuote(Quote):
    pass


@stored("test.topic.seen")
@frozen
class Seen(Request[list[int]]):
    pass


@frozen
class Fail:
    pass


class Watcher(Actor[Quote | Seen | Fail]):
    def __init__(self) -> None:
        self.seen: list[int] = []

    @handle
    def quote(self, message: Quote) -> None:
        self.seen.append(message.price)

    @handle
    def look(self, message: Seen) -> list[int]:
        return list(self.seen)

    @handle
    def fail(self, message: Fail) -> None:
        raise ValueError


def watchers(ref: Ref[Quote | Seen | Fail]) -> int:
    assert isinstance(ref, LocalRef)
    return len(ref.cell.annex.watchers)


@simulated(seeds=range(4))
async def test_every_subscriber_gets_what_is_published_in_order() -> None:
    async with System() as system:
        topic = system.topic(Quote, "quotes")
        refs = [await system.spawn(Watcher) for _ in range(3)]
        for ref in refs:
            topic.subscribe(ref)

        counts = [topic.publish(Quote(price)) for price in range(5)]

        assert counts == [3] * 5
        assert [await ref.ask(Seen()) for ref in refs] == [[0, 1, 2, 3, 4]] * 3


@simulated(seeds=[0])
async def test_subscribing_twice_is_once_and_unsubscribing_ends_it() -> None:
    topic, probe = Topic(Quote), Probe()
    topic.subscribe(probe)
    topic.subscribe(probe)

    first = topic.publish(Quote(1))
    topic.unsubscribe(probe)
    topic.unsubscribe(probe)

    assert (first, topic.publish(Quote(2))) == (1, 0)
    assert probe.messages == [Quote(1)]


@simulated(seeds=range(4))
async def test_a_full_subscriber_loses_its_message_and_the_others_get_it() -> None:
    async with System() as system:
        events = watch(system)
        topic = Topic(Quote)
        full = await system.spawn(Watcher, name="full", mailbox=1)
        other = await system.spawn(Watcher)
        topic.subscribe(full)
        topic.subscribe(other)

        counts = [topic.publish(Quote(1)), topic.publish(Quote(2))]

        assert counts == [2, 1]
        assert [(event.actor, event.message) for event in events if isinstance(event, DeadLetter)] == [
            ("full", Quote(2))
        ]
        await settled()
        assert [await ref.ask(Seen()) for ref in (full, other)] == [[1], [1, 2]]


@simulated(seeds=range(4))
async def test_a_subscriber_that_ends_is_removed_and_leaves_nothing() -> None:
    async with System() as system:
        topic = Topic(Quote)
        ends, stays = await system.spawn(Watcher, name="ends"), await system.spawn(Watcher)
        topic.subscribe(ends)
        topic.subscribe(stays)
        topic.subscribe(stays)

        await system.supervisor().stop_child("ends")

        assert len(topic) == 1
        assert topic.publish(Quote(1)) == 1
        topic.unsubscribe(stays)
        assert watchers(stays) == 0


@simulated(seeds=[0])
async def test_a_stopped_actor_cannot_subscribe() -> None:
    async with System() as system:
        topic = Topic(Quote)
        ref = await system.spawn(Watcher, name="gone")
        await system.supervisor().stop_child("gone")

        with pytest.raises(ActorStopped, match=r"^gone has stopped"):
            topic.subscribe(ref)

        assert len(topic) == 0


@simulated(seeds=range(4))
async def test_a_restart_keeps_the_subscription() -> None:
    tree = Supervisor(name="top", strategy=OneForOne(5), children=[Child(Watcher, name="watcher")])
    async with System(tree=tree) as system:
        topic = Topic(Quote)
        ref = system.find(Watcher, "top/watcher")
        topic.subscribe(ref)
        ref.tell(Fail())
        await settled()

        topic.publish(Quote(7))

        assert await ref.ask(Seen()) == [7]


class Regular(Watcher):
    """Subscribes itself, at every start."""

    def __init__(self, topic: Topic[Quote]) -> None:
        super().__init__()
        self.topic = topic

    async def on_start(self) -> None:
        self.topic.subscribe(self.own_ref)


@simulated(seeds=range(4))
async def test_one_that_subscribes_itself_at_every_start_subscribes_once() -> None:
    topic = Topic(Quote)
    tree = Supervisor(name="top", strategy=OneForOne(5), children=[Child(Regular, name="one", args=(topic,))])
    async with System(tree=tree) as system:
        ref = system.find(Regular, "top/one")
        ref.tell(Fail())
        await settled()

        assert topic.publish(Quote(7)) == 1
        assert await ref.ask(Seen()) == [7]
        await system.supervisor("top").stop_child("one")
        await system.supervisor("top").restart_child("one")
        assert topic.publish(Quote(8)) == 1


@simulated(seeds=[0])
async def test_what_is_not_of_the_topics_class_reaches_nobody() -> None:
    topic, probe = Topic(Quote, "quotes"), Probe()
    topic.subscribe(probe)

    with pytest.raises(Unhandled, match=r"^<Topic quotes> is for Quote, not for Fail"):
        topic.publish(Fail())  # type: ignore[arg-type]  # that is the point

    assert probe.messages == []


@simulated(seeds=[0])
async def test_a_subclass_that_a_subscriber_does_not_handle_is_its_loss_only() -> None:
    async with System() as system:
        events = watch(system)
        topic, probe = Topic(Quote), Probe()
        topic.subscribe(await system.spawn(Watcher, name="plain"))
        topic.subscribe(probe)

        assert topic.publish(LateQuote(1)) == 1

        assert [event.actor for event in events if isinstance(event, DeadLetter)] == ["plain"]
        assert probe.messages == [LateQuote(1)]


def test_a_topic_is_of_a_class() -> None:
    with pytest.raises(TypeError, match=r"^a topic is of one class of messages, not of Quote\(price=1\)"):
        Topic(Quote(1))  # type: ignore[arg-type]  # that is the point


def test_a_name_gives_the_same_topic_of_one_class() -> None:
    topics = Topics()
    topic = topics.get(Quote, "quotes")

    assert topics.get(Quote, "quotes") is topic
    with pytest.raises(TypeError, match=r"^topic 'quotes' is of Quote, not of Fail"):
        topics.get(Fail, "quotes")
    with pytest.raises(ValueError, match=r"^'' is no name for a topic"):
        topics.get(Quote, "")


@simulated(seeds=range(1))
async def test_topics_are_remembered_only_while_somebody_needs_them() -> None:
    topics, probe = Topics(), Probe()
    for number in range(100):
        topics.get(Quote, f"nobody's {number}")
    topics.get(Quote, "subscribed").subscribe(probe)
    gc.collect()

    assert len(topics) == 1
    assert topics.get(Quote, "subscribed").publish(Quote(1)) == 1
    topics.get(Quote, "subscribed").unsubscribe(probe)
    gc.collect()
    assert len(topics) == 0


@stored("test.topic.sell")
@frozen
class Sell(Request[None]):
    price: int


@stored("test.topic.count")
@define
class Count:
    seen: list[int]


class Till(DurableActor[Count, Sell | Quote | Seen], name="test.topic.till"):
    """Publishes what it sells; a price of 13 fails after that."""

    def initial(self) -> Count:
        return Count([])

    @handle
    def sell(self, message: Sell) -> None:
        topic = self.resources
        assert isinstance(topic, Topic)
        topic.publish(Quote(message.price))
        if message.price == 13:
            raise ValueError(message.price)

    @handle
    def quote(self, message: Quote) -> None:
        self.state.seen.append(message.price)

    @handle
    def look(self, message: Seen) -> list[int]:
        return list(self.state.seen)


@simulated(seeds=range(3))
async def test_inside_a_turn_a_message_is_published_with_the_turn_or_not_at_all() -> None:
    topic = Topic(Quote)
    async with System(store=MemoryStore(), actors=[Till], clock=clock, resources=topic) as system:
        probe = Probe()
        topic.subscribe(probe)
        topic.subscribe(system.ref(Till, "other"))
        till = system.ref(Till, "a")

        await till.ask(Sell(7))
        till.tell(Sell(13))
        await till.send(Sell(8))
        await probe.expect(Quote)

        assert await probe.expect(Quote, timeout=60.0) == Quote(8)
        assert Quote(13) not in probe.messages
        assert await system.ref(Till, "other").ask(Seen()) == [7, 8]
