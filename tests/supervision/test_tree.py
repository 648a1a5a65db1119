"""The live tree as data and as a drawing, also while it restarts and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import attrs
import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.testing.loop import clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.mailbox.codec import stored
from choragus.supervision.backoff import Backoff
from choragus.supervision.errors import SystemFailed
from choragus.supervision.report import FailureReport
from choragus.supervision.spec import Child, DynamicSupervisor, Region, Supervisor
from choragus.supervision.state import ChildState
from choragus.supervision.strategy import OneForAll, OneForOne, RestForOne
from choragus.supervision.system import System
from choragus.supervision.tree import TreeNode

DELAYED = OneForOne(max_restarts=100, within=60.0, backoff=Backoff(first=10, most=10))
OFTEN = OneForOne(max_restarts=100, within=60.0)


@frozen
class Crash:
    text: str = "crash"


@frozen
class Nap:
    seconds: float = 5.0


class Part(Actor[Crash | Nap]):
    @handle
    def crash(self, message: Crash) -> None:
        raise ValueError(message.text)

    @handle
    async def nap(self, message: Nap) -> None:
        await asyncio.sleep(message.seconds)


class Slow(Part):
    async def on_start(self) -> None:
        await asyncio.sleep(3)

    async def on_stop(self) -> None:
        await asyncio.sleep(3)


@stored("test.tree.add")
@frozen
class Add:
    amount: int


@stored("test.tree.total")
@define
class Total:
    amount: int = 0


class Till(DurableActor[Total, Add], name="test.tree.till"):
    @handle
    async def add(self, message: Add) -> None:
        if message.amount < 0:
            raise ValueError("negative")
        await asyncio.sleep(message.amount)


TREE = Supervisor(
    name="top",
    strategy=DELAYED,
    children=[Child(Part, name="a"), Supervisor(name="in", strategy=RestForOne(), children=[Child(Part, name="b")])],
)


@simulated(seeds=range(5))
async def test_the_tree_tells_state_mailbox_message_and_restarts() -> None:
    async with System(tree=TREE, clock=clock) as system:
        a = system.find(Part, "top/a")
        a.tell(Crash())
        await asyncio.sleep(11)
        for message in (Nap(), Nap(), Crash()):
            a.tell(message)
        await asyncio.sleep(1)

        node = system.tree().find("top/a")

        assert (node.name, node.kind, node.actor, node.state) == ("a", "actor", "Part", ChildState.RUNNING)
        assert (node.current, node.depth, node.restarts, node.incarnation) == ("Nap", 2, 1, 2)
        assert [failure.error for failure in node.failures] == ["ValueError: crash"]


@simulated(seeds=range(5))
async def test_the_tree_is_nested_as_the_specs_are_and_shows_strategies() -> None:
    async with System(tree=TREE, clock=clock) as system:
        tree = system.tree()

        assert [(node.path, node.kind) for node in tree.walk()] == [
            ("", "supervisor"),
            ("top", "supervisor"),
            ("top/a", "actor"),
            ("top/in", "supervisor"),
            ("top/in/b", "actor"),
        ]
        assert (tree.find("top").strategy, tree.find("top/in").strategy) == (DELAYED, RestForOne())
        assert tree.find("top/a").strategy is None
        with pytest.raises(LookupError, match=r"^nothing stands at 'top/c' in this tree"):
            tree.find("top/c")


@simulated(seeds=range(5))
async def test_a_tree_is_a_value_that_does_not_change_any_more() -> None:
    async with System(tree=TREE, clock=clock) as system:
        before = system.tree()
        system.find(Part, "top/a").tell(Crash())
        await settled()

        assert before.find("top/a").state is ChildState.RUNNING
        assert system.tree().find("top/a").state is ChildState.RESTARTING
        with pytest.raises(attrs.exceptions.FrozenInstanceError):
            before.name = "other"  # type: ignore[misc]  # that is the point


@simulated(seeds=range(5))
async def test_the_restarts_of_a_nested_supervisor_are_its_own() -> None:
    tree = Supervisor(name="top", strategy=OFTEN, children=[attrs.evolve(TREE, name="in", strategy=OneForOne(1))])
    async with System(tree=tree, clock=clock) as system:
        for _ in range(2):
            system.find(Part, "top/in/a").tell(Crash())
            await settled()

        snapshot = system.tree()

        assert [snapshot.find(path).restarts for path in ("top", "top/in", "top/in/a", "top/in/in")] == [0, 1, 1, 0]
        assert [failure.error for failure in snapshot.find("top/in").failures] == [
            "gave up: more than 1 restarts within 5 s"
        ]


@simulated(seeds=range(5))
async def test_a_name_that_is_used_again_has_no_restarts() -> None:
    async with System(tree=DynamicSupervisor(name="top", strategy=OFTEN), clock=clock) as system:
        top = system.supervisor("top")
        (await top.start_child(Child(Part, name="a"))).tell(Crash())
        await settled()
        assert system.tree().find("top/a").restarts == 1

        await top.stop_child("a")
        await top.start_child(Child(Part, name="a"))

        assert system.tree().find("top/a").restarts == 0


@simulated(seeds=range(3))
async def test_a_tree_may_be_asked_for_at_any_moment() -> None:
    strategy = OneForAll(max_restarts=3, within=60.0)
    slow = Supervisor(name="top", strategy=strategy, children=[Child(Slow, name=name) for name in "abc"])
    system = System(tree=Supervisor(name="out", strategy=OFTEN, children=[slow]), actors=[Till], clock=clock)
    trees: list[TreeNode] = []

    async def look() -> None:
        while True:
            await asyncio.sleep(0.1)
            trees.append(system.tree())
            trees[-1].render()

    with pytest.raises(RuntimeError, match=r"^this System does not run yet"):
        system.tree()
    looking = asyncio.create_task(look())
    async with system:
        for _ in range(5):
            system.find(Slow, "out/top/b").tell(Crash())
            system.ref(Till, "x").tell(Add(1))
            await asyncio.sleep(20)
    looking.cancel()
    await asyncio.wait([looking])

    assert looking.cancelled()
    assert {node.state for tree in trees for node in tree.walk()} == set(ChildState)
    assert {node.state for node in system.tree().walk()} == {ChildState.STOPPED}


@simulated(seeds=range(5))
async def test_durable_actors_in_memory_stand_below_their_region() -> None:
    region = Region(Till, attempts=3, backoff=Backoff(first=10, most=10))
    async with System(actors=[region], clock=clock) as system:
        for amount in (5, 1, 1):
            system.ref(Till, "a").tell(Add(amount))
        system.ref(Till, "b").tell(Add(-1))
        await asyncio.sleep(1)

        tree = system.tree()

        till, a, b = (tree.find(f"test.tree.till{key}") for key in ("", "/a", "/b"))
        assert (till.kind, till.actor, till.attempts, till.children) == ("region", "Till", 3, (a, b))
        assert (a.name, a.kind, a.actor, a.state) == ("a", "actor", "Till", ChildState.RUNNING)
        assert (a.current, a.depth, a.attempts) == ("Add", 2, 0)
        assert (b.current, b.depth, b.attempts, b.state) == (None, 1, 1, ChildState.RESTARTING)
        assert [failure.error for failure in b.failures] == ["ValueError: negative"]


@simulated(seeds=[0])
async def test_the_drawing_has_a_line_for_each() -> None:
    async with System(tree=TREE, actors=[Till], clock=clock) as system:
        system.find(Part, "top/in/b").tell(Crash("x\ny"))
        system.find(Part, "top/a").tell(Crash())
        await asyncio.sleep(11)
        for _ in range(3):
            system.find(Part, "top/a").tell(Nap())
        system.ref(Till, "a").tell(Add(5))
        await asyncio.sleep(1)

        assert str(system.tree()).splitlines() == [
            "root               one-for-one, 1 in 5 s     running",
            "├─ top             one-for-one, 100 in 60 s  running",
            "│  ├─ a            Part                      running     on Nap, 2 waiting, 1 restart, last: ValueE…",
            "│  └─ in           rest-for-one, 1 in 5 s    running",
            "│     └─ b         Part                      running     1 restart, last: ValueError: x y",
            "└─ test.tree.till  region of Till            running     5 attempts",
            "   └─ a            Till                      running     on Add",
        ]


def leaf(name: str, state: ChildState = ChildState.RUNNING, restarts: int = 0) -> TreeNode:
    return TreeNode(name=name, path=f"top/{name}", kind="actor", actor="Part", state=state, restarts=restarts)


def parent(children: Sequence[TreeNode]) -> TreeNode:
    return TreeNode(
        name="top",
        path="top",
        kind="supervisor",
        state=ChildState.RUNNING,
        strategy=OneForOne(),
        children=tuple(children),
    )


def test_many_siblings_are_counted_and_those_that_are_not_well_are_drawn() -> None:
    children = [leaf(f"n{number}") for number in range(10_000)]
    children[7000] = leaf("n7000", ChildState.RESTARTING)
    children[9000] = leaf("n9000", restarts=2)

    lines = parent(children).render().splitlines()

    assert len(lines) == 52
    assert lines[1].startswith("├─ n0 ")
    assert [line.split()[1] for line in lines[48:51]] == ["n47", "n7000", "n9000"]
    assert lines[51] == "└─ … 9,950 more: running 9,950"


def test_those_that_are_not_drawn_are_counted_by_state() -> None:
    children = [leaf(f"n{number}", state) for number, state in enumerate([*ChildState, ChildState.STOPPED] * 2)]

    lines = parent(children).render(siblings=2).splitlines()

    assert [line.split()[1] for line in lines[1:3]] == ["n0", "n2"]
    assert lines[3] == "└─ … 10 more: stopped 4, running 2, stopping 2, starting 1, restarting 1"


def test_no_line_is_longer_than_the_width() -> None:
    failure = FailureReport(path="", at=0.0, message="", error="E" * 500)
    long = attrs.evolve(leaf("name" * 50), failures=(failure,), actor="Actor" * 20)

    lines = parent([long, leaf("b")]).render(80).splitlines()

    assert max(map(len, lines)) == 80
    assert lines[1].endswith("…")
    with pytest.raises(ValueError, match=r"^width=39 must be 40 or more"):
        parent([]).render(39)


@simulated(seeds=[0])
async def test_the_tree_of_a_system_that_failed_tells_why() -> None:
    system = System(tree=Child(Part, name="a"), strategy=OneForOne(max_restarts=0), clock=clock)
    with pytest.raises(SystemFailed):  # noqa: PT012  # the system ends within
        async with system:
            system.find(Part, "a").tell(Crash())
            await asyncio.sleep(60)

    assert [failure.error for failure in system.tree().failures] == ["gave up: more than 0 restarts within 5 s"]
    assert [failure.error for failure in system.failures("a")] == ["ValueError: crash"]
