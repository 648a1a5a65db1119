"""Actors that fail together."""

from __future__ import annotations

import asyncio
from typing import Never

import pytest
from attrs import frozen
from tests.actors.mortal import MANY, Break, Hold, Leave, Mortal

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import ActorStopped, LinkBroken
from choragus.actors.event import Failed
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.mailbox.codec import stored
from choragus.supervision.backoff import Backoff
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForAll, OneForOne
from choragus.supervision.system import System


@frozen
class Link(Request[None]):
    ref: Ref[Never]


@frozen
class Unlink(Request[None]):
    ref: Ref[Never]


class Member(Mortal[Link | Unlink | Break | Leave | Hold]):
    @handle
    def tie(self, message: Link) -> None:
        self.link(message.ref)

    @handle
    def untie(self, message: Unlink) -> None:
        self.unlink(message.ref)


class Group:
    """Members named a, b, c and so on under one supervisor, and who failed."""

    def __init__(self, size: int, strategy: OneForOne | OneForAll = MANY) -> None:
        self.names = "abcdefgh"[:size]
        children = [Child(Member, name=name, shutdown=0.0) for name in self.names]
        self.system = System(tree=Supervisor(name="top", strategy=strategy, children=children), clock=clock)
        self.failed: list[str] = []
        self.errors: list[BaseException] = []

    async def __aenter__(self) -> Group:
        await self.system.__aenter__()
        self.system.events.subscribe(self._note, Failed)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.system.__aexit__(None, None, None)

    def __getitem__(self, name: str) -> Ref[Link | Unlink | Break | Leave | Hold]:
        return self.system.find(Member, f"top/{name}")

    async def link(self, *pairs: str) -> None:
        for pair in pairs:
            await self[pair[0]].ask(Link(self[pair[1]]))

    def _note(self, event: Failed) -> None:
        self.failed.append(event.actor.removeprefix("top/"))
        self.errors.append(event.error)


@pytest.mark.parametrize("fails", ["a", "b"])
@simulated(seeds=range(5))
async def test_a_link_works_in_both_directions(fails: str) -> None:
    async with Group(2) as group:
        await group.link("ab")
        group[fails].tell(Break())
        await settled()

        assert sorted(group.failed) == ["a", "b"]


@simulated(seeds=range(3))
async def test_who_fails_by_a_link_names_both_and_carries_the_cause() -> None:
    async with Group(2) as group:
        await group.link("ab")
        group["b"].tell(Break())
        await settled()

        broken = group.errors[-1]
        assert isinstance(broken, LinkBroken)
        assert (broken.actor, broken.failed, str(broken.__cause__)) == ("top/a", "top/b", "no")


@simulated(seeds=range(5))
async def test_a_failure_goes_along_a_chain_of_links() -> None:
    async with Group(8) as group:
        await group.link("ab", "bc", "cd", "de", "ef", "fg", "gh")
        group["a"].tell(Break())
        await settled()

        assert group.failed == list("abcdefgh")


@simulated(seeds=range(5))
async def test_a_circle_of_links_fails_each_member_once() -> None:
    async with Group(4) as group:
        await group.link("ab", "bc", "cd", "da", "ac", "ba")
        group["c"].tell(Break())
        await asyncio.sleep(10)

        assert sorted(group.failed) == list("abcd")


@simulated(seeds=range(5))
async def test_a_restart_undoes_the_link() -> None:
    async with Group(2) as group:
        await group.link("ab")
        group["a"].tell(Break())
        await settled()
        group["a"].tell(Break())
        await settled()

        assert sorted(group.failed) == ["a", "a", "b"]


@pytest.mark.parametrize("how", ["leave", "stop", "unlink"])
@simulated(seeds=range(5))
async def test_an_end_without_a_failure_only_undoes_the_link(how: str) -> None:
    async with Group(2) as group:
        await group.link("ab")
        a = group["a"]
        if how == "leave":
            a.tell(Leave())
        elif how == "stop":
            await group.system.supervisor("top").stop_child("a")
        else:
            await group["b"].ask(Unlink(a))
            a.tell(Break())
        await settled()

        assert "b" not in group.failed


@simulated(seeds=range(5))
async def test_who_is_killed_takes_the_linked_with_it() -> None:
    gate = asyncio.Event()
    async with Group(2) as group:
        await group.link("ab")
        group["a"].tell(Hold(gate))
        await settled()
        await group.system.supervisor("top").stop_child("a")
        await settled()
        gate.set()

        assert group.failed == ["b"]


@simulated(seeds=range(3))
async def test_linking_the_dead_raises() -> None:
    async with Group(2) as group:
        a = group["a"]
        await group.system.supervisor("top").stop_child("a")

        with pytest.raises(Exception, match=r"^top/b failed on Link$") as failed:
            await group["b"].ask(Link(a))

        assert isinstance(failed.value.__cause__, ActorStopped)


@simulated(seeds=range(5))
async def test_linking_one_that_waits_for_its_restart_raises() -> None:
    async with Group(2, OneForOne(max_restarts=9, within=60, backoff=Backoff(first=5.0, most=5.0))) as group:
        a = group["a"]
        a.tell(Break())
        await settled()

        with pytest.raises(Exception, match=r"^top/b failed on Link$") as failed:
            await group["b"].ask(Link(a))

        assert isinstance(failed.value.__cause__, ActorStopped)


@simulated(seeds=range(3))
async def test_linking_itself_does_nothing() -> None:
    async with Group(1) as group:
        await group["a"].ask(Link(group["a"]))
        group["a"].tell(Break())
        await settled()

        assert group.failed == ["a"]


@stored("link_test.state")
@frozen
class Nothing:
    pass


@stored("link_test.go")
@frozen
class Go:
    pass


class Lasting(DurableActor[Nothing, Go], name="link_test.lasting"):
    @handle
    def go(self, message: Go) -> None:
        """Nothing."""


@simulated(seeds=range(2))
async def test_linking_a_durable_actor_is_refused() -> None:
    async with System(actors=[Lasting], clock=clock) as system:
        member = await system.spawn(Member)

        with pytest.raises(Exception, match=r"failed on Link$") as failed:
            await member.ask(Link(system.ref(Lasting, "a")))

        assert isinstance(failed.value.__cause__, TypeError)


@simulated(seeds=range(10))
async def test_a_failure_of_both_at_once_is_one_failure_of_each() -> None:
    """The news that waits for an incarnation which fails by itself is not for the next one."""

    class Both(Member):
        @handle
        async def hold(self, message: Hold) -> None:
            await message.gate.wait()
            raise RuntimeError("both")

    gate = asyncio.Event()
    tree = Supervisor(name="top", strategy=MANY, children=[Child(Both, name="a"), Child(Both, name="b")])
    failed: list[str] = []
    async with System(tree=tree, clock=clock) as system:
        system.events.subscribe(lambda event: failed.append(event.actor), Failed)
        a, b = system.find(Both, "top/a"), system.find(Both, "top/b")
        await a.ask(Link(b))
        a.tell(Hold(gate))
        b.tell(Hold(gate))
        await settled()
        gate.set()
        await settled()

    assert sorted(failed) == ["top/a", "top/b"]


@simulated(seeds=range(5))
async def test_linked_siblings_that_are_restarted_together_fail_once() -> None:
    async with Group(3, OneForAll(max_restarts=5, within=60)) as group:
        await group.link("ab", "bc")
        group["b"].tell(Break())
        await asyncio.sleep(1)

        assert group.failed[0] == "b"
        assert len(set(group.failed)) == len(group.failed)


@simulated(seeds=range(5))
async def test_a_start_that_fails_breaks_the_links_that_it_made() -> None:
    class Hasty(Member):
        async def on_start(self) -> None:
            self.link(partner)
            raise RuntimeError("not now")

    async with Group(1) as group:
        partner = group["a"]

        with pytest.raises(RuntimeError, match="not now"):
            await group.system.spawn(Hasty)
        await settled()

        assert group.failed == ["a"]
