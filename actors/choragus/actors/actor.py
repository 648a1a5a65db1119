"""What a user writes: a class with handlers."""

from __future__ import annotations

import sys
from typing import ClassVar, Generic, Protocol, TypeVar

from .dispatch import Names, Table, check_declared, declared_arguments, handlers
from .message import check_replies

M = TypeVar("M", contravariant=True)


class Surroundings(Protocol):
    """The system that an actor runs in, as far as actors see it."""


class Stoppable(Protocol):
    """The cell of an actor, as far as the actor sees it."""

    def leave(self) -> None:
        """End after the message in hand."""
        ...


class Actor(Generic[M]):
    """One unit of state that handles one message at a time.

    `Actor[Add | Get]` names the messages; each has a method marked `@handle`. That the two agree is checked when the
    class is defined. Plain attributes are its state: nobody else touches them, so there is nothing to lock. When a
    handler raises, the supervisor builds a new instance behind the same ref; the message that failed is not seen
    again, those that wait are.

    Do not use one to compute something that a function could return, and do not block in a handler: nothing else
    runs meanwhile. One that has to block says so: `@handle(blocking="thread")`, see there.
    """

    path: str = ""
    """Where it stands in the tree; set before `on_start`."""

    __choragus_table__: ClassVar[Table] = {}

    _choragus_cell: Stoppable | None = None

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        define(cls, Actor, sys._getframe(1).f_locals)

    def attach(self, path: str, system: Surroundings, cell: Stoppable | None = None) -> None:
        """Called by the runtime, once, before `on_start`."""
        self.path = path
        self.system = system
        self._choragus_cell = cell

    def stop(self) -> None:
        """End normally, as OTP's `{stop, normal}`: after the message in hand, or at once when none is.

        `on_stop` runs (5 s at most); messages that still wait are refused. What the supervisor then does goes by the
        restart type: a permanent actor is started again. In `on_start` it is as raising Ignore.

        Raises:
            RuntimeError: when the actor runs in no system, or is durable: those use `self.end()`.
        """
        if self._choragus_cell is None:
            raise RuntimeError(f"{type(self).__name__} cannot stop itself: it runs in no system, or is durable")
        self._choragus_cell.leave()

    async def on_start(self) -> None:
        """Runs before the first message of every incarnation; raising here is a failed start, but Ignore is none."""

    async def on_stop(self) -> None:
        """Runs after the last message when the actor is stopped, not when it failed; raising here is reported."""


def define(cls: type[Actor[M]], base: type, local: Names) -> None:
    """Work out the class's handlers and compare them with what it declares."""
    cls.__choragus_table__ = handlers(cls, local)
    arguments = declared_arguments(cls, base)
    if arguments is not None:
        check_declared(cls, arguments[-1], cls.__choragus_table__)
    check_replies(cls, cls.__choragus_table__, local)


def table_of(cls: type[Actor[M]]) -> Table:
    """Which messages the class handles, and by which methods."""
    return cls.__choragus_table__
