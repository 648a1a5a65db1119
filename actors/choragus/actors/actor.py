"""What a user writes: a class with handlers."""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, Never, Protocol, TypeVar

from .dispatch import Names, Table, check_declared, declared_arguments, handlers
from .errors import HandlerFault
from .message import check_replies
from .place import Seat, cancel_timer, link, pipe, separate, set_timer, unwatch, watch
from .ref import Ref

M = TypeVar("M", contravariant=True)
T = TypeVar("T")
V = TypeVar("V")


class Surroundings(Protocol):
    """The system that an actor runs in, as far as actors see it."""


class Actor(Generic[M]):
    """One unit of state that handles one message at a time.

    `Actor[Add | Get]` names the messages; each has a method marked `@handle`. That the two agree is checked when the
    class is defined. Plain attributes are its state: nobody else touches them, so there is nothing to lock. When a
    handler raises, the supervisor builds a new instance behind the same ref; the message that failed is not seen
    again, those that wait are.

    Do not use one to compute something that a function could return, and do not block in a handler: nothing else
    runs meanwhile. One that has to block says so: `@handle(blocking="thread")`, see there.
    """

    __choragus_table__: ClassVar[Table] = {}

    _choragus_cell: Seat | None = None
    _choragus_incarnation: int = 0
    _choragus_system: Surroundings | None = None
    _choragus_path: str = ""

    def __init_subclass__(cls, **keywords: object) -> None:
        super().__init_subclass__(**keywords)
        define(cls, Actor, sys._getframe(1).f_locals)

    def attach(self, path: str, system: Surroundings) -> None:
        """Called by the runtime, once, before anything else, for an actor that has no cell of its own."""
        self._choragus_path = path
        self._choragus_system = system

    @property
    def path(self) -> str:
        """Where it stands in the tree; known from `on_start` on, and empty before."""
        return self._choragus_path if self._choragus_cell is None else self._choragus_cell.path

    @property
    def system(self) -> Surroundings:
        """The system that it runs in.

        Raises:
            RuntimeError: before `on_start`.
        """
        system = self._choragus_system if self._choragus_cell is None else self._choragus_cell.around
        if system is None:
            raise RuntimeError(f"{type(self).__name__} runs in no system yet: use it from on_start on")
        return system

    @property
    def own_ref(self) -> Ref[M]:
        """The actor's own ref, to give away or to tell itself something.

        Raises:
            RuntimeError: when the actor runs in no system, or is durable.
        """
        seat = self._seat("know its ref; use self.ref(Type, self.key)")
        return seat.around.ref_to(seat)  # type: ignore[return-value]  # its own

    def stop(self) -> None:
        """End normally, as OTP's `{stop, normal}`: after the message in hand, or at once when none is.

        `on_stop` runs (5 s at most); messages that still wait are refused. What the supervisor then does goes by the
        restart type: a permanent actor is started again. In `on_start` it is as raising Ignore.

        Raises:
            RuntimeError: when the actor runs in no system, or is durable: those use `self.end()`.
        """
        self._seat("stop itself; use self.end()").leave()

    def become(self, behaviour: Actor[M]) -> None:
        """Handle messages by another actor object from the next one on: the same mailbox and ref, other handlers.

        `behaviour` handles at least the messages that this actor does, is not started (no `on_start`), and may become
        another one in turn. A restart begins again with the actor of the spec; `on_stop` is that of whoever is in
        charge.

        Raises:
            Unhandled: when `behaviour` lacks a handler.
        """
        self._seat("become another; keep what it does in its state").become(behaviour)

    def stash(self) -> None:
        """Set the message in hand aside, to be handled after `unstash_all`. An asker goes on waiting.

        What is set aside survives a restart: the next incarnation finds it first in its mailbox, in its order.

        Raises:
            StashFull: when `Mailbox(stash=...)` messages are set aside already.
            RuntimeError: outside a handler, or when the message was set aside already.
        """
        self._seat("stash; keep messages in its state").stash()

    def unstash_all(self) -> None:
        """Handle what was set aside next, before what waits, in the order in which it came."""
        self._seat("unstash").unstash_all()

    def timer(self, name: str, message: M, *, after: float) -> None:
        """Send the message to the actor itself in so many seconds; a timer of that name is replaced.

        It dies with the incarnation, also when it has rung and its message waits.

        Raises:
            ValueError: when `after` is negative or no number.
        """
        set_timer(self._seat("set this timer"), name, message, after, None)

    def ticker(self, name: str, message: M, *, every: float, after: float | None = None) -> None:
        """As `timer`, over and over, the first time in `after` seconds (by default `every`).

        The beat is kept. While one message of it waits, further ones are left out.

        Raises:
            ValueError: when `every` is not above 0, or `after` is negative.
        """
        seat = self._seat("have a ticker; set the timer again each time")
        set_timer(seat, name, message, every if after is None else after, every)

    def cancel_timer(self, name: str) -> None:
        """Take a timer or ticker back; fine when there is none. What has rung and waits is not handled any more."""
        cancel_timer(self._seat("cancel this timer"), name)

    def watch(self, ref: Ref[Never]) -> None:
        """Get one Terminated message when that actor has ended for good, at once when it has; a restart is no end.

        It comes before all messages that wait. An actor that does not handle Terminated fails with DeathPact instead.
        Watching again is watching once; watches outlive the watcher's restarts.

        Raises:
            TypeError: when the ref stands for something that does not end, as a durable actor.
        """
        watch(self._seat("watch"), ref)

    def unwatch(self, ref: Ref[Never]) -> None:
        """Never mind, even when Terminated waits in the mailbox; fine when it is not watched."""
        unwatch(self._seat("unwatch"), ref)

    def link(self, ref: Ref[Never]) -> None:
        """From now on, when one of the two fails or is killed, the other fails too, with LinkBroken; then what its
        supervisor says. Normal ends and stops only undo the link, and so does any restart: it is between incarnations.

        Raises:
            TypeError: when the ref is none of a volatile actor.
            ActorStopped: when that actor does not run.
        """
        link(self._seat("be linked"), ref)

    def unlink(self, ref: Ref[Never]) -> None:
        """Undo a link; fine when there is none."""
        separate(self._seat("be unlinked"), ref)

    def pipe_to_self(
        self,
        awaitable: Awaitable[V],
        message: Callable[[V], M],
        *,
        failed: Callable[[Exception], M] | None = None,
    ) -> asyncio.Task[None]:
        """Wait for something beside the messages, and send what comes of it to the actor itself.

        `message` makes a message of the value, `failed` one of the error; both are called when its turn has come. An
        error without `failed`, or in either of them, is the actor's failure. What is piped ends with the incarnation.

        Returns:
            The task that waits, which may be cancelled.
        """
        return pipe(self._seat("pipe; use self.effect(...)"), awaitable, message, failed)

    def adapter(self, translate: Callable[[T], M]) -> Ref[T]:
        """A ref to give to those who speak another protocol: each message is translated when its turn has come.

        An error in `translate` is the actor's failure. Through an adapter an actor can be told, not asked.
        """
        seat = self._seat("adapt messages")
        return seat.around.adapter(seat, translate)

    def _seat(self, what: str) -> Seat:
        """The cell; durable actors have none of this."""
        if self._choragus_cell is None:
            raise RuntimeError(f"{type(self).__name__} cannot {what}: it is durable, or runs in no system yet")
        if self._choragus_cell.incarnation != self._choragus_incarnation:
            raise RuntimeError(f"{self.path} cannot {what}: this incarnation of it is over")
        return self._choragus_cell

    async def on_start(self) -> None:
        """Runs before the first message of every incarnation; raising here is a failed start, but Ignore is none."""

    async def on_stop(self) -> None:
        """Runs after the last message when the actor is stopped, not when it failed; raising here is reported."""


def define(cls: type[Actor[M]], base: type, local: Names) -> None:
    """Work out the class's handlers and compare them with what it declares."""
    for hook in ("on_start", "on_stop"):
        if not inspect.iscoroutinefunction(inspect.unwrap(getattr(cls, hook, _coroutine))):
            raise HandlerFault(f"{cls.__name__}.{hook} is awaited: write async def {hook}(self)")
    cls.__choragus_table__ = handlers(cls, local)
    arguments = declared_arguments(cls, base)
    if arguments is not None:
        check_declared(cls, arguments[-1], cls.__choragus_table__)
    check_replies(cls, cls.__choragus_table__, local)


async def _coroutine() -> None:
    """What is awaited."""


def table_of(cls: type[Actor[M]]) -> Table:
    """Which messages the class handles, and by which methods."""
    return cls.__choragus_table__
