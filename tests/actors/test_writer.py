"""What waits for the disk is bounded by bytes, as by number: tells and asks are refused, sends wait."""

from __future__ import annotations

import asyncio

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import MailboxFull
from choragus.actors.item import Cursor, Held, Joint, Mark
from choragus.actors.message import Request
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.actors.weight import weight
from choragus.actors.writer import BYTES
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record, stored
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import (
    Batch,
    Closure,
    Committed,
    Effect,
    EffectState,
    Entry,
    Envelope,
    OnInterrupt,
    Rejected,
    Turn,
    View,
)
from choragus.supervision.system import System


@stored("test.writer.page")
@frozen
class Page(Request[int]):
    text: str


@stored("test.writer.grow")
@frozen
class Grow(Request[int]):
    size: int


@stored("test.writer.book")
@define
class Book:
    text: str = ""
    pages: int = 0


class Author(DurableActor[Book, Page | Grow], name="test.writer.author"):
    @handle
    def page(self, message: Page) -> int:
        self.state.pages += 1
        return self.state.pages

    @handle
    def grow(self, message: Grow) -> int:
        self.state.text = "x" * message.size
        return message.size


class Gated(MemoryStore):
    """A store whose commits wait for a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Event()
        self.gate.set()

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await self.gate.wait()
        return await super().commit(batch)


HALF = Page("x" * (BYTES // 2))


@simulated(seeds=range(3))
async def test_beyond_8_megabytes_tells_and_asks_are_refused_and_sends_wait() -> None:
    store = Gated()
    async with System(store=store, actors=[Author]) as system:
        author = system.ref(Author, "a")
        await settled()
        store.gate.clear()
        author.tell(HALF)
        author.tell(HALF)  # within the bound when it comes, and so let in

        with pytest.raises(MailboxFull, match=r"^80000\d\d bytes wait for the disk \(limit 8000000\), one for test\."):
            author.tell(Page("x"))
        with pytest.raises(MailboxFull, match=r"bytes wait for the disk"):
            await author.ask(Page("x"))
        sending = asyncio.ensure_future(author.send(Page("x")))
        await settled()
        assert not sending.done()
        store.gate.set()
        await sending

        assert await author.ask(Page("y")) == 4
        assert system.kernel.writer._bytes == 0


@simulated(seeds=range(3))
async def test_the_states_of_turns_count_too() -> None:
    store = Gated()
    async with System(store=store, actors=[Author]) as system:
        author = system.ref(Author, "a")
        await settled()
        store.gate.clear()
        author.tell(Grow(BYTES))
        await settled()

        assert system.kernel.writer.is_full
        store.gate.set()
        await author.send(Page("y"))
        assert await author.ask(Page("y")) == 2


@simulated(seeds=range(3))
async def test_one_message_greater_than_the_bound_is_let_in_alone() -> None:
    async with System(store=MemoryStore(), actors=[Author]) as system:
        author = system.ref(Author, "a")

        assert await author.ask(Page("x" * (2 * BYTES))) == 1
        assert await author.ask(Page("x")) == 2


@simulated(seeds=range(3))
async def test_what_the_store_refuses_waits_no_more() -> None:
    store = MemoryStore()
    async with System(store=store, actors=[Author]) as system:
        author = system.ref(Author, "a")
        await author.ask(Page("x"))
        for id, snapshot in store._actors.items():
            store._actors[id] = attrs.evolve(snapshot, revision=snapshot.revision + 7)

        assert await author.ask(Grow(1000)) == 1000
        await settled()
        assert system.kernel.writer._bytes == 0


def test_an_item_weighs_as_much_as_the_values_in_it() -> None:
    me, record = ActorId("a/b"), Record("json", 1, b"123")
    envelope = Envelope(id="1", receiver=me, sender="s", record=record)
    effect = Effect(id="e", actor=me, runner="r", record=record, then="", on_interrupt=OnInterrupt.RERUN, created=0)
    turn = Turn(
        id="t",
        actor=me,
        fence=1,
        revision=0,
        state=record,
        sends=(envelope, envelope),
        effects=(effect,),
        entries=(Entry("s", "k", 0.0, b"12"),),
        views=(View(kind="k", key="k", body=b"1234"), View(kind="k", key="l", body=None)),
        replies=(("1", record),),
    )

    assert weight(turn) == 3 + 6 + 3 + 2 + 4 + 3
    assert weight(attrs.evolve(turn, state=None, sends=(), effects=(), entries=(), views=(), replies=())) == 0
    assert weight(envelope) == weight(Closure(effect="e", state=EffectState.DONE, envelope=envelope)) == 3
    assert weight(Joint((turn, turn))) == 2 * weight(turn)
    assert weight(Entry("s", "k", 0.0, b"12")) == 2
    assert [weight(item) for item in (Mark(), Cursor("c", 1), Held("e"))] == [0, 0, 0]
