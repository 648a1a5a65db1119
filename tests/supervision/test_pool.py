"""Pools: workers under one supervisor, behind one ref that routes."""

from __future__ import annotations

import asyncio
import random

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorStopped
from choragus.actors.event import DeadLetter
from choragus.actors.message import Request
from choragus.actors.routing import Broadcast, ConsistentHash, LeastLoaded
from choragus.actors.testing.loop import settled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import SpecFault
from choragus.supervision.pool import Pool
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch

MANY = OneForOne(max_restarts=100, within=60.0)


@frozen
class Work(Request[str]):
    """Gives back who did it."""

    seconds: float = 0.0
    user: str = ""


@frozen
class Fail:
    pass


class Worker(Actor[Work | Fail]):
    def __init__(self, done: list[str] | None = None) -> None:
        self.done = [] if done is None else done

    @handle
    async def work(self, message: Work) -> str:
        if message.seconds:
            await asyncio.sleep(message.seconds)
        self.done.append(message.user)
        return self.path.rpartition("-")[2]

    @handle
    def fail(self, message: Fail) -> None:
        raise ValueError


def names(system: System, path: str = "crew") -> list[str]:
    return [child.name for child in system.supervisor(path).children()]


@simulated(seeds=range(4))
async def test_a_pool_starts_its_workers_and_takes_turns() -> None:
    async with System(tree=Pool(Worker, name="crew", size=3)) as system:
        crew = system.pool(Worker, "crew")

        assert [await crew.ask(Work()) for _ in range(5)] == ["1", "2", "3", "1", "2"]
        assert names(system) == ["Worker-1", "Worker-2", "Worker-3"]
        assert system.pool(Worker, "crew") is crew


@simulated(seeds=[0])
async def test_a_child_as_the_worker_gives_arguments_and_a_name() -> None:
    done: list[str] = []
    spec = Pool(Child(Worker, name="w", args=(done,), mailbox=1), name="crew", size=2)
    async with System(tree=Supervisor(name="top", children=[spec])) as system:
        await system.pool(Worker, "top/crew").ask(Work(user="ann"))

        assert done == ["ann"]
        assert names(system, "top/crew") == ["w-1", "w-2"]


@simulated(seeds=range(4))
async def test_one_that_restarts_keeps_its_place_and_its_mail() -> None:
    slow = OneForOne(max_restarts=9, within=60.0, backoff=Backoff(first=10, most=10))
    async with System(tree=Pool(Worker, name="crew", size=2, strategy=slow)) as system:
        crew = system.pool(Worker, "crew")
        crew.tell(Fail())
        await settled()

        asked = [asyncio.create_task(crew.ask(Work())) for _ in range(3)]

        assert sorted([await one for one in asked]) == ["1", "2", "2"]
        assert asyncio.get_running_loop().time() == 10.0


@simulated(seeds=range(4))
async def test_one_that_is_stopped_for_good_is_passed_over_until_it_is_started_again() -> None:
    async with System(tree=Pool(Worker, name="crew", size=3)) as system:
        crew = system.pool(Worker, "crew")
        supervisor = system.supervisor("crew")

        await supervisor.stop_child("Worker-2")
        without = {await crew.ask(Work()) for _ in range(6)}
        await supervisor.restart_child("Worker-2")

        assert without == {"1", "3"}
        assert {await crew.ask(Work()) for _ in range(3)} == {"1", "2", "3"}


@simulated(seeds=range(4))
async def test_without_any_worker_it_is_as_a_dead_ref() -> None:
    worker = Child(Worker, name="w", restart=Restart.TEMPORARY)
    async with System(tree=Pool(worker, name="crew", size=2, strategy=MANY)) as system:
        events = watch(system)
        crew = system.pool(Worker, "crew")
        for _ in range(2):
            crew.tell(Fail())
        await settled()

        with pytest.raises(ActorStopped, match=r"^crew has stopped"):
            await crew.ask(Work())
        crew.tell(Work())

        assert [event.actor for event in events if isinstance(event, DeadLetter)] == ["crew"]


@simulated(seeds=range(4))
async def test_the_ref_outlives_a_restart_of_the_supervisor() -> None:
    top = Supervisor(name="top", strategy=MANY, children=[Pool(Worker, name="crew", size=2)])
    async with System(tree=top) as system:
        crew = system.pool(Worker, "top/crew")
        await crew.resize(3)
        for _ in range(3):
            crew.tell(Fail())
        await settled()

        assert sorted([await crew.ask(Work()) for _ in range(2)]) == ["1", "2"]
        assert names(system, "top/crew") == ["Worker-1", "Worker-2"]


@simulated(seeds=range(4))
async def test_it_grows_and_the_new_ones_get_their_share() -> None:
    async with System(tree=Pool(Worker, name="crew", size=1, routing=LeastLoaded())) as system:
        crew = system.pool(Worker, "crew")
        await crew.resize(3)

        asked = [asyncio.create_task(crew.ask(Work(seconds=1.0))) for _ in range(3)]

        assert sorted([await one for one in asked]) == ["1", "2", "3"]


class Slow(Worker):
    """Takes half a minute to start, and then fails, but for the first."""

    async def on_start(self) -> None:
        if not self.path.endswith("1"):
            await asyncio.sleep(36)
            raise ValueError("no room")


class Late(Worker):
    async def on_start(self) -> None:
        await asyncio.sleep(50)


@simulated(seeds=range(4))
async def test_a_new_one_that_does_not_come_up_is_never_given_anything() -> None:
    async with System(tree=Pool(Slow, name="crew")) as system:
        crew = system.pool(Slow, "crew")
        growing = asyncio.create_task(crew.resize(2))
        await settled()

        assert [await crew.ask(Work()) for _ in range(4)] == ["1"] * 4
        with pytest.raises(ValueError, match=r"^no room"):
            await growing
        assert names(system) == ["Slow-1"]


@simulated(seeds=range(4))
async def test_one_that_is_started_by_hand_gets_its_share_when_it_is_up() -> None:
    async with System(tree=Pool(Worker, name="crew")) as system:
        crew = system.pool(Worker, "crew")
        await crew.ask(Work())

        starting = asyncio.create_task(system.supervisor("crew").start_child(Child(Late, name="extra-2")))
        await settled()
        assert {await crew.ask(Work()) for _ in range(2)} == {"1"}
        await starting

        assert {await crew.ask(Work()) for _ in range(2)} == {"1", "2"}


@simulated(seeds=range(20))
async def test_nothing_is_lost_or_doubled_while_a_pool_grows_shrinks_and_fails() -> None:
    done: list[str] = []
    worker = Child(Worker, name="w", args=(done,), shutdown=1000.0)
    async with System(tree=Pool(worker, name="crew", size=3, routing=LeastLoaded(), strategy=MANY)) as system:
        events = watch(system)
        crew = system.pool(Worker, "crew")

        async def resizer() -> None:
            for _ in range(12):
                await crew.resize(random.randint(1, 5))
                await asyncio.sleep(random.random())

        async def sender(name: str) -> None:
            for number in range(40):
                await crew.send(Work(seconds=random.choice([0.0, 0.3]), user=f"{name}/{number}"))
                if random.random() < 0.05:
                    crew.tell(Fail())
                await asyncio.sleep(random.choice([0.0, 0.1, 0.2]))

        await asyncio.gather(resizer(), sender("a"), sender("b"))
        await asyncio.sleep(1000)

        assert sorted(done) == sorted(f"{name}/{number}" for name in "ab" for number in range(40))
        assert not any(isinstance(event, DeadLetter) for event in events)


@simulated(seeds=range(4))
async def test_those_that_go_finish_what_they_hold_and_get_nothing_new() -> None:
    done: list[str] = []
    worker = Child(Worker, name="w", args=(done,), shutdown=60.0)
    async with System(tree=Pool(worker, name="crew", size=3)) as system:
        events = watch(system)
        crew = system.pool(Worker, "crew")
        for number in range(9):
            crew.tell(Work(seconds=1.0, user=str(number)))

        shrinking = asyncio.create_task(crew.resize(1))
        await settled()
        late = [asyncio.create_task(crew.ask(Work())) for _ in range(4)]
        await shrinking

        assert [await one for one in late] == ["1"] * 4
        assert sorted(done) == sorted([*map(str, range(9)), *[""] * 4])
        assert not any(isinstance(event, DeadLetter) for event in events)
        assert names(system) == ["w-1"]


@simulated(seeds=range(4))
async def test_what_still_waits_after_the_shutdown_time_is_refused() -> None:
    worker = Child(Worker, name="w", shutdown=2.5)
    async with System(tree=Pool(worker, name="crew", size=2)) as system:
        crew = system.pool(Worker, "crew")
        asked = [asyncio.create_task(crew.ask(Work(seconds=2.0))) for _ in range(6)]
        await settled()

        await crew.resize(1)

        ends = await asyncio.gather(*asked, return_exceptions=True)
        assert sorted(end for end in ends if isinstance(end, str)) == ["1", "1", "1", "2", "2"]
        assert sum(isinstance(end, ActorStopped) for end in ends) == 1


@simulated(seeds=range(4))
async def test_resizes_are_done_one_after_the_other() -> None:
    async with System(tree=Pool(Worker, name="crew", size=4)) as system:
        crew = system.pool(Worker, "crew")

        await asyncio.gather(*(crew.resize(size) for size in (2, 7, 1, 5)))

        size = len(crew.members)
        assert size in (1, 2, 5, 7)
        assert names(system) == [f"Worker-{number + 1}" for number in range(size)]


@simulated(seeds=[0])
async def test_resizing_starts_those_again_that_were_stopped() -> None:
    async with System(tree=Pool(Worker, name="crew", size=2)) as system:
        crew = system.pool(Worker, "crew")
        await system.supervisor("crew").stop_child("Worker-1")

        await crew.resize(2)

        assert len(crew.members) == 2


@simulated(seeds=range(3))
async def test_keys_go_back_to_where_they_were_when_a_pool_shrinks_and_grows_again() -> None:
    routing: ConsistentHash[Work | Fail] = ConsistentHash(key=lambda message: getattr(message, "user", ""))
    async with System(tree=Pool(Worker, name="crew", size=5, routing=routing)) as system:
        crew = system.pool(Worker, "crew")
        users = [f"user-{number}" for number in range(50)]

        before = [await crew.ask(Work(user=user)) for user in users]
        await crew.resize(4)
        less = [await crew.ask(Work(user=user)) for user in users]
        await crew.resize(5)

        assert [await crew.ask(Work(user=user)) for user in users] == before
        assert all(was == now for was, now in zip(before, less, strict=True) if was != "5")


@simulated(seeds=range(4))
async def test_a_broadcast_pool_tells_all() -> None:
    done: list[str] = []
    worker = Child(Worker, name="w", args=(done,))
    async with System(tree=Pool(worker, name="crew", size=3, routing=Broadcast())) as system:
        await system.pool(Worker, "crew").send(Work(user="all"))
        await settled()

        assert done == ["all"] * 3


@simulated(seeds=[0])
async def test_a_pool_can_be_started_at_run_time() -> None:
    async with System() as system:
        await system.supervisor().start_child(Pool(Worker, name="crew", size=2))

        assert await system.pool(Worker, "crew").ask(Work()) == "1"


@simulated(seeds=[0])
async def test_a_place_without_such_a_pool_is_no_pool() -> None:
    tree = [Pool(Worker, name="crew"), Supervisor(name="none")]
    async with System(tree=tree) as system:
        for path in ("none", "crew/Worker-1", "nowhere"):
            with pytest.raises(ActorStopped, match=rf"^{path} \(as a pool of Worker\) has stopped"):
                system.pool(Worker, path)
        with pytest.raises(ActorStopped, match=r"^crew \(as a pool of Other\) has stopped"):
            system.pool(Other, "crew")


@frozen
class Unknown:
    pass


class Other(Actor[Unknown]):
    @handle
    def unknown(self, message: Unknown) -> None:
        pass


@simulated(seeds=[0])
async def test_a_bad_size_or_routing_is_refused_at_the_call() -> None:
    with pytest.raises(SpecFault, match=r"^pool 'crew': size=0 must be a whole number, 1 or more"):
        Pool(Worker, name="crew", size=0)
    with pytest.raises(SpecFault, match=r"^pool 'crew': routing=3 is none: use RoundRobin"):
        Pool(Worker, name="crew", routing=3)  # type: ignore[arg-type]  # that is the point
    with pytest.raises(SpecFault, match=r"^a pool makes its own children: say how many with size="):
        Pool(Worker, name="crew", children=(Child(Worker, name="w"),))
    async with System(tree=Pool(Worker, name="crew")) as system:
        with pytest.raises(ValueError, match=r"^crew: size=-1 must be a whole number"):
            await system.pool(Worker, "crew").resize(-1)


@simulated(seeds=[0])
async def test_a_pool_that_has_stopped_cannot_be_resized() -> None:
    async with System(tree=Pool(Worker, name="crew")) as system:
        crew = system.pool(Worker, "crew")
        await system.supervisor().stop_child("crew")

        with pytest.raises(ActorStopped, match=r"^crew has stopped"):
            await crew.resize(2)
