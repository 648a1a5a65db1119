"""A random tree whose actors are killed at random, and what must hold all the same.

`play(seed)` is one life: senders tell, send and ask; handlers raise, cancel their own task, cancel whatever their
worker does next, and swallow cancellations; starts and stops fail. Then the killing ends, the tree must come to rest
whole, and the system must end without leaving anything behind.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from types import NoneType

from choragus.actors.cell import Cell
from choragus.actors.errors import ActorStopped, MailboxFull, SystemStopped
from choragus.actors.ref import Ref
from choragus.actors.status import Status
from choragus.actors.testing.faults import drop, faults
from choragus.actors.testing.loop import clock, running, settled
from choragus.mailbox.errors import ChoragusError
from choragus.supervision import mender
from choragus.supervision import strategy as deciding
from choragus.supervision.backoff import Backoff
from choragus.supervision.directive import Directive
from choragus.supervision.errors import AlreadyStarted, SystemFailed
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import Decision, End, Escalate, Forget, OneForOne, Restart, Strategy, judge
from choragus.supervision.supervisor import Node
from choragus.supervision.system import System

from .victim import HARM, Do, Kill, Question, Step, Victim, World

SENDERS = 4
MESSAGES = 25


def strategy(chance: Random) -> OneForOne:
    backoff = Backoff(first=0.1, most=2.0, jitter=chance.random()) if chance.random() < 0.5 else None
    return OneForOne(
        max_restarts=chance.choice((0, 1, 3, 10, 50, 50, 100)), within=chance.choice((1, 5, 30)), backoff=backoff
    )


def grow(chance: Random, world: World, name: str, depth: int) -> Supervisor:
    """A random supervisor with all that is below it."""
    children: list[Supervisor | Child[Step | Question | Do]] = []
    for number in range(chance.randint(1, 3)):
        below = f"{name}{number}"
        if depth > 0 and chance.random() < 0.5:
            children.append(grow(chance, world, below, depth - 1))
        else:
            restart = chance.choice((Restart.PERMANENT, Restart.PERMANENT, Restart.TRANSIENT, Restart.TEMPORARY))
            shutdown, mailbox = chance.choice((0.0, 0.5, 5.0)), chance.choice((1, 5, 1000))
            one = Child(Victim, name=below, args=(world,), restart=restart, shutdown=shutdown, mailbox=mailbox)
            children.append(one)
    return Supervisor(name=name, strategy=strategy(chance), children=children)


async def sender(number: int, seed: int, world: World, refs: list[Ref[Step | Question | Do]]) -> None:
    """One who sends, in order, and whose asks all end."""
    chance = Random(f"{seed}/{number}")
    for count in range(MESSAGES):
        ref = chance.choice(refs)
        try:
            match chance.choice(("tell", "tell", "send", "ask", "ask", "harm")):
                case "tell":
                    ref.tell(Step(number, count))
                case "send":
                    await ref.send(Step(number, count))
                case "ask":
                    await ask(ref, chance.choice((0.5, 5.0, 30.0)), world)
                case _:
                    ref.tell(Do(chance.choice(HARM), chance.random() * 8))
        except (MailboxFull, ActorStopped, SystemStopped):
            pass
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * chance.choice((0.01, 1.0, 3.0)))


async def ask(ref: Ref[Step | Question | Do], timeout: float, world: World) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        if await ref.ask(Question(), timeout=timeout) != ref.path:
            world.wrong.append(f"{ref.path} answered for another")
        world.asks["answered"] += 1
    except ChoragusError as error:
        world.asks[type(error).__name__] += 1
    if loop.time() - began > timeout + 0.001:
        world.wrong.append(f"an ask of {ref.path} ended {loop.time() - began - timeout:g} s after its timeout")


async def spawner(seed: int, world: World, system: System) -> None:
    """One who starts actors of a few names, over and over: there is never a second one."""
    chance = Random(f"{seed}/spawner")
    for _ in range(6):
        try:
            ref = await system.spawn(
                Victim, world, name=chance.choice("xy"), restart=Restart.TEMPORARY, shutdown=chance.choice((0.0, 5.0))
            )
            ref.tell(Do(chance.choice(HARM), chance.random()))
        except (AlreadyStarted, ActorStopped, SystemStopped, Kill):
            pass
        await asyncio.sleep(chance.random() * 5)


@contextmanager
def written_down(world: World) -> Iterator[None]:
    """Every decision, by the strategy object that it was made with; None where a supervisor starts.

    Written down is what comes of `judge`, which each decision goes through once: None is a restart.
    """
    start = Node.start

    def judging(
        rule: Strategy, restart: Restart, end: End, directive: Directive, *, restarts: Sequence[float], now: float
    ) -> Decision | None:
        decision = judge(rule, restart, end, directive, restarts=restarts, now=now)
        world.decided[id(rule)].append((now, restart, decision))
        return decision

    async def starting(node: Node) -> None:
        world.decided.setdefault(id(node.spec.strategy), []).append(None)
        await start(node)

    for module in (mender, deciding):
        setattr(module, "judge", judging)  # noqa: B010
    setattr(Node, "start", starting)  # noqa: B010
    try:
        yield
    finally:
        for module in (mender, deciding):
            setattr(module, "judge", judge)  # noqa: B010
        setattr(Node, "start", start)  # noqa: B010


def check_decisions(world: World, node: Node) -> None:
    """Reckon again, from the decisions alone: it gives up if and only if the intensity is exceeded."""
    rule = node.spec.strategy
    restarts: list[float] = []
    over = False
    for one in world.decided.get(id(rule), []):
        if one is None:
            restarts, over = [], False
            continue
        now, restart, decision = one
        too_many = sum(now - at <= rule.within for at in restarts) >= rule.max_restarts
        wanted = Forget if restart is Restart.TEMPORARY else Escalate if too_many else NoneType
        if over or not isinstance(decision, wanted):
            world.wrong.append(f"{node.path or 'root'} decided {decision} at {now:g}, {restarts} before, over: {over}")
        over = over or isinstance(decision, Escalate)
        if decision is None:
            restarts.append(now)
    for slot in node.slots.values():
        if isinstance(slot.running, Node):
            check_decisions(world, slot.running)


def check_whole(world: World, node: Node) -> None:
    """At rest: everything that should run does, with nothing left to do."""
    jobs = node._mender.jobs
    if node.status is not Status.RUNNING or jobs._waiting or jobs._delays:
        world.wrong.append(f"{node.path or 'root'} is {node.status.value} at rest, {len(jobs._waiting)} jobs")
    for slot in node.slots.values():
        child = slot.running
        if isinstance(child, Node):
            check_whole(world, child)
        elif not isinstance(child, Cell):
            raise TypeError(f"{child} is neither a supervisor nor an actor")
        elif child.status is not Status.RUNNING or child.depth or child.current is not None:
            world.wrong.append(f"{child.path} is {child.status.value} at rest with {child.depth} messages")


def cells(node: Node) -> Iterator[Cell]:
    for slot in node.slots.values():
        if isinstance(slot.running, Node):
            yield from cells(slot.running)
        elif isinstance(slot.running, Cell):
            yield slot.running


async def play(seed: int) -> World:
    """One life of one tree; what went wrong is in `World.wrong`."""
    chance, world = Random(seed), World()
    world.bad_starts = 0.05 if chance.random() < 0.1 else 0.0
    tree = [grow(chance, world, name, 2) for name in "ab"]
    lossy = chance.random() < 0.3
    system = System(tree=tree, clock=clock)
    helpers: list[asyncio.Task[None]] = []
    gave_up = False
    loss = drop(lambda path, message: lossy and random.random() < 0.1)
    with written_down(world), faults(*[loss] * lossy):
        try:
            async with system:
                system.events.subscribe(world.note)
                world.bad_starts = 0.1
                refs = [system.find(Victim, cell.path) for cell in cells(system._root)]
                work = [sender(number, seed, world, refs) for number in range(SENDERS)]
                helpers = [asyncio.create_task(one) for one in (*work, spawner(seed, world, system))]
                await come_to_rest(world, system, helpers, early=chance.random() < 0.3)
        except SystemFailed:
            gave_up = True
        except Exception as error:
            if "did not start" not in str(error):
                raise
        await nothing_is_left(world, helpers)
    check_decisions(world, system._root)
    root = world.decided[id(system._root.spec.strategy)]
    if gave_up != any(one is not None and isinstance(one[2], Escalate) for one in root):
        world.wrong.append(f"the system failed: {gave_up}, and its root decided {root}")
    return world


async def come_to_rest(world: World, system: System, helpers: list[asyncio.Task[None]], *, early: bool) -> None:
    if early:  # the end comes in the middle of it
        await asyncio.sleep(random.random() * 5)
        return
    await asyncio.wait(helpers)
    world.calm = True
    await asyncio.sleep(3_000)
    await settled()
    check_whole(world, system._root)


async def nothing_is_left(world: World, helpers: list[asyncio.Task[None]]) -> None:
    """The system has ended: whoever still sends is told, and no task stays but for the zombies' last seconds."""
    loop = running()
    ended = loop.time()
    if helpers:
        await asyncio.wait(helpers)
    if loop.time() - ended > 150:
        world.wrong.append(f"those who send ended {loop.time() - ended:g} s after the system")
    for helper in helpers:
        helper.result()
    await asyncio.sleep(100)
    world.wrong.extend(f"left over: {one}" for one in asyncio.all_tasks() - {asyncio.current_task()})
