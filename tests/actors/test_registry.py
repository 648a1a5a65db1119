"""Names for actors, independent of the tree."""

from __future__ import annotations

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorStopped, NotRegistered
from choragus.actors.local_ref import LocalRef
from choragus.actors.message import Request
from choragus.actors.registry import AlreadyRegistered, Registry
from choragus.actors.router import Router
from choragus.actors.testing.loop import settled
from choragus.actors.testing.probe import Probe
from choragus.actors.testing.simulation import simulated
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System


@frozen
class Get(Request[str]):
    pass


@frozen
class Fail:
    pass


@frozen
class Other:
    pass


class Clerk(Actor[Get | Fail]):
    @handle
    def get(self, message: Get) -> str:
        return self.path

    @handle
    def fail(self, message: Fail) -> None:
        raise ValueError


class Stranger(Actor[Other]):
    @handle
    def other(self, message: Other) -> None:
        pass


@simulated(seeds=[0])
async def test_a_name_leads_to_its_actor_wherever_it_stands() -> None:
    tree = Supervisor(name="office", children=[Child(Clerk, name="clerk")])
    async with System(tree=tree) as system:
        system.register("desk", system.find(Clerk, "office/clerk"))

        assert await system.whereis(Clerk, "desk").ask(Get()) == "office/clerk"
        assert system.registered() == ("desk",)


@simulated(seeds=[0])
async def test_a_taken_name_is_refused_with_the_one_who_has_it() -> None:
    async with System() as system:
        first, second = await system.spawn(Clerk, name="first"), await system.spawn(Clerk)
        system.register("desk", first)
        system.register("desk", first)

        with pytest.raises(AlreadyRegistered, match=r"^'desk' is the name of first already") as caught:
            system.register("desk", second)

        assert caught.value.ref == first


@simulated()
async def test_a_name_is_free_when_its_actor_has_ended_and_not_on_a_restart() -> None:
    tree = Supervisor(name="office", strategy=OneForOne(5), children=[Child(Clerk, name="clerk")])
    async with System(tree=tree) as system:
        ref = system.find(Clerk, "office/clerk")
        system.register("desk", ref)

        ref.tell(Fail())
        await settled()
        kept = system.whereis(Clerk, "desk")
        await system.supervisor("office").stop_child("clerk")

        assert kept == ref
        with pytest.raises(NotRegistered, match=r"^no Clerk is registered as 'desk'"):
            system.whereis(Clerk, "desk")
        system.register("desk", await system.spawn(Clerk))


@simulated(seeds=[0])
async def test_an_unregistered_name_is_free_and_its_old_actors_end_does_not_free_it_again() -> None:
    async with System() as system:
        old, new = await system.spawn(Clerk, name="old"), await system.spawn(Clerk, name="new")
        system.register("desk", old)
        system.unregister("desk")
        system.register("desk", new)

        await system.supervisor().stop_child("old")

        assert system.whereis(Clerk, "desk") == new
        assert isinstance(old, LocalRef)
        assert not old.cell.annex.watchers


@simulated(seeds=[0])
async def test_whoever_takes_other_messages_is_not_found() -> None:
    async with System() as system:
        system.register("desk", await system.spawn(Stranger))
        system.register("window", Router([await system.spawn(Clerk, name="clerk")]))
        system.register("probe", Probe())

        with pytest.raises(NotRegistered):
            system.whereis(Clerk, "desk")
        with pytest.raises(NotRegistered):
            system.whereis(Stranger, "window")
        assert await system.whereis(Clerk, "window").ask(Get()) == "clerk"
        assert system.whereis(Clerk, "probe").path == "probe"


@simulated(seeds=[0])
async def test_bad_names_and_dead_actors_are_refused_at_the_call() -> None:
    async with System() as system:
        ref = await system.spawn(Clerk, name="gone")
        await system.supervisor().stop_child("gone")
        registry = Registry()

        with pytest.raises(ActorStopped, match=r"^gone has stopped"):
            registry.register("desk", ref)
        with pytest.raises(ValueError, match=r"^'' is no name for an actor"):
            registry.register("", ref)
        with pytest.raises(NotRegistered, match=r"^no actor is registered as 'desk'"):
            registry.unregister("desk")
        assert len(registry) == 0
