"""A handler that ignores its cancellation is fenced: nothing that it still sends gets anywhere."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable

import attrs
import pytest

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import CutOff
from choragus.actors.inside import ZOMBIES
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.simulation import simulate, simulated
from choragus.mailbox.codec import stored
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.system import System

SEEDS = range(5)


@stored("test.zombie.note")
@attrs.frozen
class Note(Request[int]):
    """Counted."""


@attrs.frozen
class Resist:
    """Ignore the cancellation, and then do this."""

    act: Callable[[], Awaitable[object] | None]


class Reader(Actor[Note]):
    def __init__(self) -> None:
        self.count = 0

    @handle
    def note(self, message: Note) -> int:
        self.count += 1
        return self.count


class Stubborn(Actor[Resist]):
    def __init__(self, said: list[str]) -> None:
        self.said = said

    @handle
    async def resist(self, message: Resist) -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            await asyncio.sleep(10)
        try:
            acted = message.act()
            if acted is not None:
                await acted
        except CutOff as error:
            self.said.append(str(error))


@stored("test.zombie.state")
@attrs.define
class State:
    """Nothing."""


class Ledger(DurableActor[State, Note], name="test.zombie.ledger"):
    @handle
    def note(self, message: Note) -> int:
        return 0


@pytest.fixture(autouse=True)
def _no_others() -> None:
    """Those of other tests went with their loops."""
    gc.collect()
    assert not ZOMBIES


async def cut_off(act: Callable[[Ref[Note], Ref[Note]], Awaitable[object] | None]) -> tuple[list[str], int]:
    """Let a handler that was cut off do this with two refs; what it was told, and what got through to the first."""
    said: list[str] = []
    tree = Supervisor(name="top", children=[Child(Reader, name="reader"), Child(Stubborn, name="it", args=(said,))])
    async with System(tree=tree, actors=[Ledger]) as system:
        reader, ledger = system.find(Reader, "top/reader"), system.ref(Ledger, "main")
        system.find(Stubborn, "top/it").tell(Resist(lambda: act(reader, ledger)))
        await asyncio.sleep(1)
        await system.supervisor("top").stop_child("it")
        await asyncio.sleep(15)
        return said, await reader.ask(Note()) - 1


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(lambda reader, ledger: reader.tell(Note()), id="tell"),
        pytest.param(lambda reader, ledger: reader.send(Note()), id="send"),
        pytest.param(lambda reader, ledger: reader.ask(Note()), id="ask"),
        pytest.param(lambda reader, ledger: ledger.tell(Note()), id="tell, durable"),
        pytest.param(lambda reader, ledger: ledger.send(Note()), id="send, durable"),
        pytest.param(lambda reader, ledger: ledger.ask(Note()), id="ask, durable"),
    ],
)
@simulated(seeds=SEEDS)
async def test_r31_what_a_zombie_sends_is_refused(
    act: Callable[[Ref[Note], Ref[Note]], Awaitable[object] | None],
) -> None:
    said, through = await cut_off(act)

    assert through == 0
    assert said == [
        "Note is not sent: this handler ignored its cancellation and was cut off, and its actor has gone on without "
        "it; let CancelledError pass"
    ]
    assert not ZOMBIES


@simulated(seeds=SEEDS)
async def test_others_send_while_there_are_zombies() -> None:
    said: list[str] = []
    tree = Supervisor(name="top", children=[Child(Reader, name="reader"), Child(Stubborn, name="it", args=(said,))])
    async with System(tree=tree) as system:
        reader = system.find(Reader, "top/reader")
        system.find(Stubborn, "top/it").tell(Resist(lambda: None))
        await asyncio.sleep(1)
        await system.supervisor("top").stop_child("it")
        assert len(ZOMBIES) == 1

        reader.tell(Note())
        await reader.send(Note())

        assert await reader.ask(Note()) == 3


def test_one_that_never_ends_goes_with_its_loop() -> None:
    async def for_ever() -> None:
        while True:
            try:
                await asyncio.get_running_loop().create_future()
            except asyncio.CancelledError:
                continue

    class Deaf(Actor[Note]):
        @handle
        async def note(self, message: Note) -> int:
            await for_ever()
            return 0

    async def main() -> None:
        async with System(tree=Child(Deaf, name="deaf", shutdown=0)) as system:
            system.find(Deaf, "deaf").tell(Note())
            await asyncio.sleep(1)

    simulate(main)
    gc.collect()

    assert not ZOMBIES
