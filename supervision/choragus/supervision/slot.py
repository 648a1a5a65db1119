"""A child's place under its supervisor: the spec, what runs there, and where that stands."""

from __future__ import annotations

from collections.abc import Coroutine
from enum import Enum
from typing import Never, Protocol, TypeAlias

import attrs

from choragus.actors.actor import Actor
from choragus.actors.cell import Cell
from choragus.actors.status import Status

from .spec import Child, Spec
from .state import RESTARTING, RUNNING, STARTING, STOPPED, STOPPING, ChildState
from .strategy import TEMPORARY, Member


class Branch(Protocol):
    """A supervisor that runs, as far as the one above sees it."""

    path: str
    status: Status
    incarnation: int

    def start(self) -> Coroutine[object, None, None]:
        """Start its children."""
        ...

    async def stop(self) -> None:
        """Stop its children."""
        ...


Running: TypeAlias = Cell | Branch


@attrs.frozen(eq=False)
class Plan:
    """Children that are to be started again, in this order; each only as long as its slot still holds this plan."""

    names: tuple[str, ...]


class Origin(Enum):
    """Where a child comes from."""

    SPEC = "spec"
    """It is in the supervisor's spec."""
    ADDED = "added"
    """It was added at run time, and keeps its spec when it is stopped."""
    DYNAMIC = "dynamic"
    """It was added at run time, and leaves no entry without a process."""


ADDED, DYNAMIC = Origin.ADDED, Origin.DYNAMIC


@attrs.define(eq=False)
class Slot:
    """A child's place."""

    spec: Spec
    running: Running
    origin: Origin
    state: ChildState = STARTING
    plan: Plan | None = None

    @property
    def name(self) -> str:
        """The child's name; that of its spec, unless the spec is shared."""
        return self.running.path.rpartition("/")[2]

    @property
    def leaves_nothing(self) -> bool:
        """Whether the slot goes with its process."""
        return self.origin is DYNAMIC or self.spec.restart is TEMPORARY

    @property
    def truth(self) -> ChildState:
        """Its state, also between a failure and the decision about it."""
        if self.state is RUNNING and self.running.status is not Status.RUNNING:
            return RESTARTING if self.running.status is Status.FAILED else STOPPING
        return self.state

    @property
    def member(self) -> Member:
        """What decisions need to know."""
        spec = self.spec
        return Member(self.name, spec.restart, self.state is not STOPPED, spec.significant)

    def begin(self) -> Coroutine[object, None, None] | None:
        """Start what runs here; anew when it is to be restarted. None: it is up.

        Else await what is given back, and then call `up`. What the start raises goes to the caller.
        """
        running = self.running
        starting = running.begin() if isinstance(running, Cell) else running.start()
        if starting is None and (self.state is RESTARTING or self.spec.restart is TEMPORARY):
            self.up(anew=self.state is RESTARTING)
        return starting

    def attempt(self) -> Coroutine[object, None, None] | Exception | None:
        """As `begin`, but what it raises is given back, for `Begun` to raise where it is waited for."""
        try:
            return self.begin()
        except Exception as error:
            return error

    def up(self, *, anew: bool) -> None:
        """What runs here is through its start; `anew`: it was restarted."""
        spec = self.spec
        if anew and isinstance(self.running, Cell):
            self.running.restarted()
        if spec.restart is TEMPORARY and isinstance(spec, Child) and (spec.args or spec.kwargs):
            self.spec = attrs.evolve(spec, args=(), kwargs={})

    def stop_at_once(self) -> bool:
        """Stop an actor for good, if that takes no time; whether it has stopped."""
        return isinstance(self.running, Cell) and self.running.stop_at_once()

    async def stop(self) -> None:
        """Stop what runs here, for good."""
        if isinstance(self.running, Cell):
            await self.running.stop(self.shutdown)
        else:
            await self.running.stop()

    async def halt(self) -> None:
        """Stop what runs here; an actor keeps its mail for its next incarnation."""
        if isinstance(self.running, Cell):
            await self.running.halt(self.shutdown)
        else:
            await self.running.stop()

    @property
    def shutdown(self) -> float:
        """Seconds for an actor to stop."""
        assert isinstance(self.spec, Child)
        return self.spec.shutdown


class Once:
    """Builds the actor of a temporary child: it has only one incarnation, and its arguments are let go."""

    def __init__(self, spec: Child[Never]) -> None:
        self._held: Child[Never] | None = spec
        self.startup = spec.startup

    def build(self) -> Actor[Never]:
        """The one actor."""
        spec, self._held = self._held, None
        assert spec is not None
        return spec.build()


class Begun:
    """What came of a beginning, to be gone on with where it is waited for: a start that takes time, or its error.

    Dropped before that, for a stop that overtakes it, the start is closed: nobody awaits it any more.
    """

    __slots__ = ("_came",)

    def __init__(self, came: Coroutine[object, None, None] | Exception) -> None:
        self._came: Coroutine[object, None, None] | Exception | None = came

    def __call__(self) -> Coroutine[object, None, None]:
        """Go on, once: raise the error, or give back what is to be awaited."""
        came, self._came = self._came, None
        assert came is not None
        if isinstance(came, Exception):
            raise came
        return came

    def __del__(self) -> None:
        if isinstance(self._came, Coroutine):
            self._came.close()
