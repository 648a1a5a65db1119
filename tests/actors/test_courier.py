"""Who is told what about a message on its way to the disk."""

from __future__ import annotations

import asyncio

import pytest

from choragus.actors.alarm import Alarm
from choragus.actors.courier import Courier
from choragus.actors.event import Events
from choragus.actors.item import Item, Landed
from choragus.actors.writer import Writer
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Closure, Committed, EffectState, Envelope, Known

ME = ActorId("test.courier/me")


class Cell:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def deliver(self, envelope: Envelope) -> None:
        self.told.append(f"{envelope.id} delivered")

    def deliver_early(self, envelope: Envelope, *, barred: bool = False) -> None:
        self.told.append(f"{envelope.id} {'barred' if barred else 'early'}")

    def arrive(self, envelope: Envelope) -> None:
        self.told.append(f"{envelope.id} arrived")

    def withdraw(self, envelope: Envelope) -> None:
        self.told.append(f"{envelope.id} withdrawn")


class Settling(Writer):
    """A writer that settles everything at once, in one way."""

    result = Committed(batch=1)

    def submit(self, item: Item, done: Landed) -> None:
        done(self.result)


def envelope(id: str, *, due: float = 0.0, key: str = "") -> Envelope:
    return Envelope(id=id, receiver=ME, sender="s", record=Record("json", 1, b"1"), due=due, key=key)


def closure(id: str) -> Closure:
    return Closure(effect=f"effect {id}", state=EffectState.DONE, envelope=envelope(id))


@pytest.fixture
async def writer() -> Settling:
    return Settling(MemoryStore(), "node", 1, lambda: 0.0, tuple, Events())


@pytest.fixture
async def cell() -> Cell:
    return Cell()


@pytest.fixture
async def courier(cell: Cell, writer: Settling) -> Courier:
    alarm = Alarm(asyncio.get_running_loop(), lambda: 0.0, lambda: None)
    return Courier(lambda _: cell, alarm, lambda: 0.0, writer)


async def test_a_result_that_the_disk_drops_is_withdrawn(courier: Courier, cell: Cell, writer: Settling) -> None:
    writer.result = Committed(batch=1, dropped=frozenset({"effect a"}))

    courier.close(closure("a"), barred=False)
    courier.close(closure("b"), barred=True)

    assert cell.told == ["a early", "a withdrawn", "b barred", "b arrived"]


async def test_a_message_under_a_known_key_is_withdrawn(courier: Courier, cell: Cell, writer: Settling) -> None:
    writer.result = Committed(batch=1, known={"a": Known(id="first", reply=None)})

    courier.post(envelope("a", key="k"), lambda _: None)
    courier.post(envelope("b"), lambda _: None)

    assert cell.told == ["a barred", "a withdrawn", "b early", "b arrived"]


async def test_what_is_undone_is_withdrawn_the_last_first(courier: Courier, cell: Cell) -> None:
    brought = courier.bring_early((envelope("a"), envelope("b"), envelope("later", due=5.0)))

    courier.undone(brought)

    assert cell.told == ["a early", "b early", "b withdrawn", "a withdrawn"]


async def test_what_fell_due_on_its_way_is_delivered_and_what_was_dropped_is_not(courier: Courier, cell: Cell) -> None:
    courier.arrived([], (envelope("a", due=-1.0), envelope("b", due=-1.0), envelope("later", due=5.0)), {"b"})

    assert cell.told == ["a delivered"]
