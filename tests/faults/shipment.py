"""What a store is used for, in a third of a second: a till, a fan-out with timers, an approval, pruning, compaction."""

from __future__ import annotations

import asyncio
from pathlib import Path

from attrs import define, field, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import EffectFailed, EffectUnknown, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.compaction import compact
from choragus.mailbox.store import Store
from choragus.mailbox.turn import OnInterrupt, Pruning
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger

from .acknowledged import Acknowledged, Till, pay_in
from .person import Person, is_told_of

PAID_IN = 6
BEATS = 3
EVERY = 0.004
"""Seconds between two beats, and until a parcel is picked up."""
SHIPMENTS = {"a": ["a1", "a2", "a3"], "b": ["b1", "b2"]}


@stored("faults.ship")
@frozen
class Ship(Request[bool]):
    parcels: list[str]


@stored("faults.book")
@frozen
class Book:
    shipment: str


@stored("faults.pick_up")
@frozen
class PickUp:
    pass


@stored("faults.booked")
@frozen
class Booked:
    parcel: str


@stored("faults.beat")
@frozen
class Tick:
    pass


@stored("faults.approve")
@frozen
class Approve(Request[bool]):
    by: str


@stored("faults.settle")
@frozen
class Settle(Request[None]):
    """A person looked whether the letter went out."""

    happened: bool


@stored("faults.call")
@frozen
class Call:
    what: str


@stored("faults.parcel")
@define
class ParcelState:
    shipment: str = ""


@stored("faults.shipment")
@define
class ShipmentState:
    waits_for: list[str] = field(factory=list)
    beats: int = 0
    stage: str = "new"
    letter: str = ""


class Parcel(DurableActor[ParcelState, Book | PickUp], name="faults.parcel"):
    """Waits for its timer, then has a carrier booked, who takes an idempotency key."""

    @property
    def stream(self) -> str:
        return f"parcel/{self.key}"

    @handle
    def book(self, message: Book) -> None:
        self.state.shipment = message.shipment
        self.timer("pick up", PickUp(), after=EVERY)
        self.log("waits")

    @handle
    def pick_up(self, message: PickUp) -> None:
        self.effect("carrier", Call(self.key), then=self.booked, on_interrupt=OnInterrupt.RERUN)
        self.log("picked up")

    @reply
    def booked(self, result: str | EffectFailed) -> None:
        self.log("booked")
        self.ref(Shipment, self.state.shipment).tell(Booked(self.key))


class Shipment(DurableActor[ShipmentState, Ship | Booked | Tick | Approve | Settle], name="faults.shipment"):
    """Has every parcel booked, asks a person, and sends a letter, of which a second one would be a second letter."""

    @handle
    def ship(self, message: Ship) -> bool:
        self.state.waits_for = list(message.parcels)
        for parcel in message.parcels:
            self.ref(Parcel, parcel).tell(Book(self.key))
        self.ticker("beat", Tick(), every=EVERY)
        self._go("booking")
        return True

    @handle
    def tick(self, message: Tick) -> None:
        self.state.beats += 1
        self.log("beat")
        if self.state.beats == BEATS:
            self.cancel_timer("beat")
        self._go(self.state.stage)

    @handle
    def one_booked(self, message: Booked) -> None:
        self.state.waits_for.remove(message.parcel)
        if not self.state.waits_for:
            self._go("asks")

    @handle
    def approve(self, message: Approve) -> bool:
        self.log("approved", by=message.by)
        self._send()
        return True

    @reply
    def sent(self, result: str | EffectFailed | EffectUnknown) -> None:
        self._go("unknown" if isinstance(result, EffectUnknown) else "sent")

    @handle
    def settle(self, message: Settle) -> None:
        if self.state.stage == "unknown":
            self.settle_effect(self.state.letter)
            if message.happened:
                self._go("sent")
            else:
                self._send()

    def _send(self) -> None:
        self.state.letter = self.effect("post", Call(self.key), then=self.sent, on_interrupt=OnInterrupt.UNKNOWN)
        self._go("sending")

    def _go(self, stage: str) -> None:
        if stage != self.state.stage:
            self.log(stage)
        self.state.stage = stage
        self.view("shipment", self.key, {"stage": stage, "beats": self.state.beats})


INTERRUPTED = frozenset({"unknown", "sending"})
"""Lines of which an interrupted letter makes more."""


class Outside:
    """A carrier who takes an idempotency key, and the post, which does not."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def carrier(self, request: object, context: EffectContext) -> str:
        """Harmless when it is called again."""
        assert isinstance(request, Call)
        self._ledger.note(f"booked {request.what}", key=context.id)
        return "booked"

    async def post(self, request: object, context: EffectContext) -> str:
        """Not harmless."""
        assert isinstance(request, Call)
        self._ledger.note(f"letter {request.what}")
        return "sent"


async def shipments(path: Path, ledger: Ledger, *, outside: type[Outside] = Outside) -> dict[str, object]:
    """Two shipments beside a till; then the parcels' streams are pruned, and the file is compacted."""
    world, person = outside(ledger), Person(path, ledger)
    runners = {"carrier": world.carrier, "post": world.post}
    async with System(path, actors=[Till, Parcel, Shipment], runners=runners) as system:
        is_told_of(system.events, path)
        store = system.kernel.store
        async with asyncio.TaskGroup() as group:
            group.create_task(pay_in(system, Acknowledged(path), PAID_IN))
            for key, parcels in SHIPMENTS.items():
                group.create_task(_ship(system, store, person, key, parcels))
        views = [*await store.views("shipment"), *await store.views("till")]
        await _prune(store)
    await compact(path)
    return {view.key: (view.body or b"").decode() for view in views}


async def _ship(system: System, store: Store, person: Person, key: str, parcels: list[str]) -> None:
    shipment = system.ref(Shipment, key)
    await shipment.ask(Ship(parcels), key=f"ship {key}")
    while True:
        view = await store.view("shipment", key)
        told = "" if view is None else (view.body or b"").decode()
        if '"asks"' in told:
            await shipment.ask(Approve("reviewer"), key=f"approve {key}")
        elif '"unknown"' in told:
            await shipment.ask(Settle(happened=person.looks_up(f"letter {key}")))
        elif '"sent"' in told and f'"beats":{BEATS}' in told:
            return
        await asyncio.sleep(0.001)


async def _prune(store: Store) -> None:
    streams = {f"parcel/{parcel}": 1000 for parcels in SHIPMENTS.values() for parcel in parcels}
    while not (part := await store.prune(Pruning(at=0.0, streams=streams, limit=5))).done:
        assert not part.in_use, part.in_use
