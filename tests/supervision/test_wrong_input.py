"""What makes no sense is refused where it is given, by an error that says what it was and what to give instead."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from attrs import frozen

from choragus.actors import Actor, HandlerFault, Topic, Watchdog, handle
from choragus.actors.testing import clock, simulated
from choragus.supervision import Backoff, Child, OneForOne, SpecFault, Supervisor, System


@frozen
class Note:
    pass


class Keeper(Actor[Note]):
    @handle
    def note(self, message: Note) -> None:
        pass


def wrong(**given: Any) -> Callable[[], object]:  # what a type checker would refuse as well
    return lambda: Child(Keeper, name="it", **given)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Supervisor(name="s", children=[Keeper]), r"Keeper.* is no child .*Child\(Keeper, name="),  # type: ignore[list-item]
        (lambda: Supervisor(name="s", children=Keeper), r"Keeper.*give a list of Child"),  # type: ignore[arg-type]
        (lambda: Supervisor(name="s", children=Child(Keeper, name="c")), r"give a list of Child"),  # type: ignore[arg-type]
        (lambda: System(tree=Keeper), r"Keeper.*give a list of Child"),  # type: ignore[arg-type]
        (lambda: System(tree=[Keeper]), r"Child\(Keeper, name="),  # type: ignore[list-item]
        (wrong(shutdown="5"), r"shutdown='5' must be seconds"),
        (wrong(shutdown=None), r"shutdown=None must be seconds"),
        (wrong(shutdown=math.nan), r"shutdown=nan must be seconds"),
        (wrong(startup="5"), r"startup='5' must be seconds"),
        (wrong(args=5), r"args=5 must be a tuple"),
        (wrong(args="ab"), r"args='ab' must be a tuple"),
        (wrong(kwargs=5), r"kwargs=5 must be a dict"),
        (lambda: OneForOne(max_restarts="3"), r"max_restarts is 0 or more, a whole number"),  # type: ignore[arg-type]
        (lambda: OneForOne(max_restarts=2.5), r"max_restarts is 0 or more, a whole number"),  # type: ignore[arg-type]
        (lambda: OneForOne(max_restarts=math.nan), r"max_restarts is 0 or more, a whole number"),  # type: ignore[arg-type]
        (lambda: OneForOne(within="x"), r"within is seconds"),  # type: ignore[arg-type]
        (lambda: OneForOne(backoff=5), r"backoff is a Backoff"),  # type: ignore[arg-type]
        (lambda: OneForOne(decider=5), r"decider=5: give a dict"),  # type: ignore[arg-type]
        (lambda: Backoff(first="x", most=1), r"first='x'.*numbers"),  # type: ignore[arg-type]
    ],
)
def test_what_is_no_spec_is_refused_before_anything_starts(make: Callable[[], object], says: str) -> None:
    with pytest.raises(SpecFault, match=says):
        make()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: System(Keeper), r"path=.*a tree is System\(tree="),  # type: ignore[arg-type]
        (lambda: System(shutdown=-1), r"shutdown=-1 of a System: give seconds"),
        (lambda: System(shutdown=math.nan), r"shutdown=nan of a System: give seconds"),
        (lambda: System(clock=5), r"clock=5 of a System: give a function"),  # type: ignore[arg-type]
        (lambda: System(watchdog=5), r"watchdog=5 of a System: give a Watchdog"),  # type: ignore[arg-type]
        (lambda: System(slow="x"), r"slow='x' of a System: give seconds"),  # type: ignore[arg-type]
        (lambda: Watchdog("1"), r"threshold='1'.*takes finite seconds"),  # type: ignore[arg-type]
    ],
)
def test_what_no_system_can_be_made_of_is_refused(make: Callable[[], object], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        make()


@simulated(seeds=[0])
async def test_a_system_that_is_not_entered_says_how_it_is() -> None:
    system = System(clock=clock)

    for call in (lambda: system.find(Keeper, "it"), lambda: system.pool(Keeper, "it"), lambda: system.tree()):
        with pytest.raises(RuntimeError, match="use it as in `async with System"):
            call()
    for waits in (system.spawn(Keeper), system.keyed(Keeper)):
        with pytest.raises(RuntimeError, match="use it as in `async with System"):
            await waits


@simulated(seeds=[0])
async def test_what_is_no_actor_class_cannot_be_spawned() -> None:
    async with System(clock=clock) as system:
        for given in (Keeper(), "Keeper", Child(Keeper, name="it")):
            with pytest.raises(SpecFault, match=r"is no actor class: give the class"):
                await system.spawn(given)  # type: ignore[arg-type]
        with pytest.raises(SpecFault, match=r"Child\(Keeper, name="):
            await system.supervisor().start_child(Keeper)  # type: ignore[call-overload]


@simulated(seeds=[0])
async def test_what_is_no_ref_is_refused_where_it_is_given() -> None:
    async with System(clock=clock) as system:
        with pytest.raises(TypeError, match="'x' is no ref of an actor"):
            Topic(Note).subscribe("x")  # type: ignore[arg-type]
        with pytest.raises(TypeError, match="'x' is no ref of an actor"):
            system.register("name", "x")  # type: ignore[arg-type]


@simulated(seeds=[0])
async def test_a_subscription_that_cannot_work_does_not_end_the_system() -> None:
    async with System(clock=clock) as system:
        with pytest.raises(TypeError, match="5 is no class of events"):
            system.events.subscribe(print, 5)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="5 cannot be called with events"):
            system.events.subscribe(5)  # type: ignore[call-overload]
        with pytest.raises(TypeError, match="5 is no class of events"):
            system.events.stream(5)  # type: ignore[call-overload]


def test_a_hook_that_is_no_coroutine_is_refused_with_its_class() -> None:
    with pytest.raises(HandlerFault, match=r"Eager\.on_start is awaited: write async def on_start"):

        class Eager(Actor[Note]):
            def on_start(self) -> None:  # type: ignore[override]
                pass

            @handle
            def note(self, message: Note) -> None:
                pass
