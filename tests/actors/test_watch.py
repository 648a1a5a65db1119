"""R41, R42: whoever watches is told of an end once, and of no other thing."""

from __future__ import annotations

import asyncio
import gc
from typing import Never

import pytest
from attrs import frozen
from tests.actors.mortal import MANY, Break, Hold, Leave, Mortal

from choragus.actors.actor import Actor
from choragus.actors.cell import Cell
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import DeathPact
from choragus.actors.event import Event, Failed
from choragus.actors.local_ref import LocalRef
from choragus.actors.ref import Ref
from choragus.actors.status import Exit, Reason
from choragus.actors.testing import clock, settled, simulated
from choragus.actors.watch import Terminated
from choragus.mailbox.codec import stored
from choragus.supervision.spec import Child, DynamicSupervisor, Supervisor
from choragus.supervision.strategy import OneForAll, OneForOne, Restart
from choragus.supervision.system import System


@frozen
class Watch:
    ref: Ref[Never]


@frozen
class Unwatch:
    ref: Ref[Never]


class Watcher(Actor[Watch | Unwatch | Hold | Break | Terminated]):
    def __init__(self, seen: list[Terminated]) -> None:
        self.seen = seen

    @handle
    def begin(self, message: Watch) -> None:
        self.watch(message.ref)

    @handle
    def end(self, message: Unwatch) -> None:
        self.unwatch(message.ref)

    @handle
    async def hold(self, message: Hold) -> None:
        await message.gate.wait()

    @handle
    def fail(self, message: Break) -> None:
        raise RuntimeError("no")

    @handle
    def note(self, message: Terminated) -> None:
        self.seen.append(message)


class Timed(Mortal[Break | Leave | Hold]):
    def __init__(self, start: float = 0.0, stop: float = 0.0) -> None:
        self.slow = start, stop

    async def on_start(self) -> None:
        await asyncio.sleep(self.slow[0])

    async def on_stop(self) -> None:
        await asyncio.sleep(self.slow[1])


class Blunt(Actor[Watch]):
    """Watches, and handles no end."""

    @handle
    def begin(self, message: Watch) -> None:
        self.watch(message.ref)


def tree(*children: Child[Never]) -> Supervisor:
    return Supervisor(name="top", strategy=MANY, children=children)


def watchers_of(ref: Ref[Never]) -> int:
    assert isinstance(ref, LocalRef)
    return len(ref.cell.annex.watchers)


async def end(system: System, name: str) -> None:
    await system.supervisor().stop_child(name)


@simulated(seeds=range(5))
async def test_r41_each_watcher_gets_exactly_one_terminated() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        for _ in range(5):
            (await system.spawn(Watcher, seen)).tell(Watch(mortal))
        await settled()

        await end(system, "mortal")
        await settled()

    assert seen == [Terminated(mortal, Exit(Reason.SHUTDOWN))] * 5


@simulated(seeds=range(5))
async def test_r41_who_is_dead_already_is_told_at_once() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        await end(system, "mortal")

        (await system.spawn(Watcher, seen)).tell(Watch(mortal))
        await settled()

        assert [one.ref for one in seen] == [mortal]


@simulated(seeds=range(5))
async def test_r41_terminated_goes_before_the_messages_that_wait() -> None:
    seen: list[Terminated] = []
    gate, late = asyncio.Event(), asyncio.Event()
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        watcher = await system.spawn(Watcher, seen)
        for message in (Watch(mortal), Hold(gate), Hold(late)):
            watcher.tell(message)
        await settled()
        await end(system, "mortal")

        gate.set()
        await settled()

        assert len(seen) == 1
        late.set()


@simulated(seeds=range(5))
async def test_r41_ends_are_told_in_their_order() -> None:
    seen: list[Terminated] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        watcher = await system.spawn(Watcher, seen)
        for name in "abc":
            watcher.tell(Watch(await system.spawn(Timed, name=name)))
        watcher.tell(Hold(gate))
        await settled()
        for name in "bca":
            await end(system, name)
        gate.set()
        await settled()

    assert [one.ref.path for one in seen] == ["b", "c", "a"]


@simulated(seeds=range(5))
async def test_r41_unwatching_suppresses_a_terminated_that_waits() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")

        class Fickle(Watcher):
            @handle
            async def hold(self, message: Hold) -> None:
                await message.gate.wait()
                self.unwatch(mortal)

        gate = asyncio.Event()
        failed: list[Event] = []
        system.events.subscribe(failed.append, Failed)
        fickle = await system.spawn(Fickle, seen)
        fickle.tell(Watch(mortal))
        fickle.tell(Hold(gate))
        await settled()
        await end(system, "mortal")
        gate.set()
        await settled()

    assert (seen, failed) == ([], [])


@simulated(seeds=range(5))
async def test_r41_watching_again_after_unwatching_is_told_once() -> None:
    seen: list[Terminated] = []
    gate = asyncio.Event()
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")

        class Torn(Watcher):
            @handle
            async def hold(self, message: Hold) -> None:
                await message.gate.wait()
                self.unwatch(mortal)
                self.watch(mortal)
                self.watch(mortal)

        torn = await system.spawn(Torn, seen)
        torn.tell(Watch(mortal))
        torn.tell(Hold(gate))
        await settled()
        await end(system, "mortal")
        gate.set()
        await settled()

    assert len(seen) == 1


@simulated(seeds=range(5))
async def test_r41_a_restart_is_no_termination() -> None:
    seen: list[Terminated] = []
    async with System(tree=tree(Child(Timed, name="mortal")), clock=clock) as system:
        mortal = system.find(Timed, "top/mortal")
        (await system.spawn(Watcher, seen)).tell(Watch(mortal))
        mortal.tell(Break())
        await settled()

        assert seen == []


@simulated(seeds=range(5))
async def test_r41_going_down_with_a_sibling_is_no_termination() -> None:
    seen: list[Terminated] = []
    both = Supervisor(
        name="top",
        strategy=OneForAll(max_restarts=9, within=60),
        children=[Child(Timed, name="one"), Child(Timed, name="two")],
    )
    async with System(tree=both, clock=clock) as system:
        (await system.spawn(Watcher, seen)).tell(Watch(system.find(Timed, "top/one")))
        await settled()
        system.find(Timed, "top/two").tell(Break())
        await settled()

        assert seen == []


@simulated(seeds=range(5))
async def test_r41_a_name_used_again_can_be_watched_again() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        watcher = await system.spawn(Watcher, seen)
        for _ in range(3):
            watcher.tell(Watch(await system.spawn(Timed, name="mortal")))
            await settled()
            await end(system, "mortal")
            await settled()

    assert [one.ref.path for one in seen] == ["mortal"] * 3


@simulated(seeds=range(5))
async def test_r41_a_child_that_its_supervisor_started_again_can_be_watched_again() -> None:
    """A static child keeps its ref when it is stopped and started on request."""
    seen: list[Terminated] = []
    async with System(tree=tree(Child(Timed, name="mortal")), clock=clock) as system:
        watcher = await system.spawn(Watcher, seen)
        mortal = system.find(Timed, "top/mortal")
        for _ in range(2):
            watcher.tell(Watch(mortal))
            await settled()
            await system.supervisor("top").stop_child("mortal")
            await settled()
            await system.supervisor("top").restart_child("mortal")

    assert [one.exit.reason for one in seen] == [Reason.SHUTDOWN] * 2


@simulated(seeds=range(1))
async def test_r41_a_watcher_that_stops_leaves_nothing_behind() -> None:
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        (await system.spawn(Watcher, [], name="watcher")).tell(Watch(mortal))
        await settled()
        assert watchers_of(mortal) == 1

        await end(system, "watcher")
        (await system.spawn(Watcher, [])).tell(Unwatch(mortal))  # so that no worker remembers the other one
        await settled()
        gc.collect()

        assert watchers_of(mortal) == 0
        assert [one.path for one in gc.get_objects() if isinstance(one, Cell) and one.path == "watcher"] == []


@simulated(seeds=range(3))
async def test_r41_unwatching_leaves_nothing_behind() -> None:
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed)
        watcher = await system.spawn(Watcher, [])
        for message in (Watch(mortal), Watch(mortal), Unwatch(mortal)):
            watcher.tell(message)
        await settled()

        assert watchers_of(mortal) == 0


@simulated(seeds=range(5))
async def test_r41_a_watchers_restart_keeps_its_watches() -> None:
    seen: list[Terminated] = []
    async with System(tree=tree(Child(Watcher, name="watcher", args=(seen,))), clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        watcher = system.find(Watcher, "top/watcher")
        for message in (Watch(mortal), Break(), Watch(mortal)):
            watcher.tell(message)
        await settled()

        await end(system, "mortal")
        await settled()

    assert len(seen) == 1


@simulated(seeds=range(5))
async def test_r41_a_watchers_restart_keeps_a_terminated_that_waits() -> None:
    seen: list[Terminated] = []

    class Frail(Watcher):
        @handle
        async def hold(self, message: Hold) -> None:
            await message.gate.wait()
            raise RuntimeError("no")

    gate = asyncio.Event()
    async with System(tree=tree(Child(Frail, name="frail", args=(seen,))), clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        frail = system.find(Frail, "top/frail")
        frail.tell(Watch(mortal))
        frail.tell(Hold(gate))
        await settled()
        await end(system, "mortal")
        gate.set()
        await settled()

    assert len(seen) == 1


@simulated(seeds=range(5))
async def test_r41_one_watches_across_two_systems_of_a_loop() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as here:
        watcher = await here.spawn(Watcher, seen)
        async with System(clock=clock) as there:
            mortal = await there.spawn(Timed)
            watcher.tell(Watch(mortal))
            await settled()
        await settled()

        assert [one.exit.reason for one in seen] == [Reason.SHUTDOWN]


@simulated(seeds=range(15))
async def test_r41_who_is_just_being_stopped_is_told_of_once() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, stop=1.0, name="mortal")
        watcher = await system.spawn(Watcher, seen)
        stopping = asyncio.ensure_future(end(system, "mortal"))
        watching = asyncio.get_running_loop().call_later(1.0, watcher.tell, Watch(mortal))
        await stopping
        await asyncio.sleep(1)

        assert watching.when() == 1.0
        assert len(seen) == 1


@simulated(seeds=range(5))
async def test_r41_who_is_just_being_started_can_be_watched() -> None:
    seen: list[Terminated] = []
    hello: list[Ref[Never]] = []

    class Early(Timed):
        async def on_start(self) -> None:
            hello.append(self.own_ref)
            await asyncio.sleep(1)
            raise RuntimeError("no")

    async with System(clock=clock) as system:
        watcher = await system.spawn(Watcher, seen)
        starting = asyncio.ensure_future(system.spawn(Early))
        await settled()
        watcher.tell(Watch(hello[0]))

        with pytest.raises(RuntimeError):
            await starting
        await settled()

        assert [(one.exit.reason, str(one.exit.error)) for one in seen] == [(Reason.FAILED, "no")]


@simulated(seeds=range(5))
async def test_r41_a_name_is_free_when_its_end_is_told() -> None:
    """Whoever is told of an end may start another under that name."""
    respawned: list[str] = []

    class Keeper(Actor[Terminated | Watch]):
        @handle
        def begin(self, message: Watch) -> None:
            self.watch(message.ref)

        @handle
        async def again(self, message: Terminated) -> None:
            respawned.append((await system.spawn(Timed, name="mortal")).path)

    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, stop=1.0, name="mortal")
        (await system.spawn(Keeper)).tell(Watch(mortal))
        await settled()
        await end(system, "mortal")
        await settled()

        assert respawned == ["mortal"]


@simulated(seeds=range(3))
async def test_r41_who_watches_itself_gets_nothing_and_leaves_nothing() -> None:
    seen: list[Terminated] = []
    async with System(clock=clock) as system:
        watcher = await system.spawn(Watcher, seen, name="watcher")
        watcher.tell(Watch(watcher))
        await settled()
        await end(system, "watcher")

        assert watchers_of(watcher) == 0
        assert seen == []


@stored("watch_test.state")
@frozen
class Nothing:
    pass


@stored("watch_test.leave")
@frozen
class Go:
    pass


class Lasting(DurableActor[Nothing, Go], name="watch_test.lasting"):
    @handle
    def go(self, message: Go) -> None:
        """Nothing."""


@simulated(seeds=range(2))
async def test_r41_watching_a_durable_actor_is_refused_each_time() -> None:
    refused: list[str] = []

    class Tries(Actor[Leave]):
        @handle
        def try_(self, message: Leave) -> None:
            for _ in range(2):
                with pytest.raises(TypeError, match=r"is no volatile actor: it does not end"):
                    self.watch(system.ref(Lasting, "a"))
                refused.append("once")

    async with System(actors=[Lasting], clock=clock) as system:
        (await system.spawn(Tries)).tell(Leave())
        await settled()

    assert refused == ["once"] * 2


@simulated(seeds=range(5))
async def test_r42_a_watcher_without_a_handler_fails_with_a_death_pact_that_names_both() -> None:
    async with System(tree=tree(Child(Blunt, name="blunt")), clock=clock) as system:
        events: list[Event] = []
        system.events.subscribe(events.append, Failed)
        mortal = await system.spawn(Timed, name="mortal", restart=Restart.TEMPORARY)
        system.find(Blunt, "top/blunt").tell(Watch(mortal))
        mortal.tell(Break())
        await settled()

    pact = events[-1]
    assert isinstance(pact, Failed)
    assert isinstance(pact.error, DeathPact)
    assert (pact.error.actor, pact.error.ended) == ("top/blunt", "mortal")
    assert str(pact.error.__cause__) == "no"


async def ended_by(how: str) -> Exit:
    """How a temporary actor's end is told, that came about in this way."""
    seen: list[Terminated] = []
    async with System(tree=DynamicSupervisor(name="all"), clock=clock) as system:
        top = system.supervisor("all")
        mortal = await top.start_child(Child(Timed, name="mortal", shutdown=0.0, restart=Restart.TEMPORARY))
        (await system.spawn(Watcher, seen)).tell(Watch(mortal))
        await settled()
        gate = asyncio.Event()
        if how == "killed":
            mortal.tell(Hold(gate))
            await settled()
        if how in ("killed", "shutdown"):
            await top.stop_child("mortal")
        else:
            mortal.tell(Break() if how == "failed" else Leave())
        await settled()
        gate.set()
        await settled()
    return seen[0].exit


@pytest.mark.parametrize("how", ["normal", "shutdown", "killed", "failed"])
@simulated(seeds=range(5))
async def test_r42_the_ends_can_be_told_apart(how: str) -> None:
    exit = await ended_by(how)

    assert exit.reason is Reason(how)
    assert str(exit.error) == ("no" if how == "failed" else "None")


@simulated(seeds=range(5))
async def test_r42_an_actor_that_could_not_be_restarted_has_failed_with_that() -> None:
    seen: list[Terminated] = []
    starts: list[int] = []

    class Once(Timed):
        async def on_start(self) -> None:
            starts.append(1)
            if len(starts) > 1:
                raise RuntimeError("never again")

    lame = Supervisor(
        name="lame",
        strategy=OneForOne(max_restarts=1),
        children=[Child(Once, name="once")],
        restart=Restart.TEMPORARY,
    )
    async with System(tree=lame, clock=clock) as system:
        once = system.find(Once, "lame/once")
        (await system.spawn(Watcher, seen)).tell(Watch(once))
        once.tell(Break())
        await settled()

        assert [(one.exit.reason, str(one.exit.error)) for one in seen] == [(Reason.FAILED, "never again")]


@simulated(seeds=range(3))
async def test_one_who_is_told_of_an_end_and_fails_does_not_keep_it_from_the_others() -> None:
    told: list[Exit] = []

    def fail(exit: Exit) -> None:
        raise RuntimeError("no")

    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")
        mortal.when_ended(fail)
        mortal.when_ended(told.append)

        await end(system, "mortal")

    assert told == [Exit(Reason.SHUTDOWN)]


@simulated(seeds=range(3))
async def test_who_takes_its_watch_back_while_being_told_takes_nobody_elses() -> None:
    told: list[str] = []
    async with System(clock=clock) as system:
        mortal = await system.spawn(Timed, name="mortal")

        def tell(name: str) -> None:
            told.append(name)
            forget()

        forget = mortal.when_ended(lambda _: tell("first"))
        mortal.when_ended(lambda _: tell("second"))
        mortal.when_ended(lambda _: tell("third"))

        await end(system, "mortal")

    assert told == ["first", "second", "third"]
