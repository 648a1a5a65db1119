"""The cell: one actor's mailbox, incarnation and status. Its state changes here and nowhere else.

A cell runs one message at a time. It never decides what a failure means: it stops taking messages, tells its parent,
and waits for `restart` or `stop`. Stopping, failing and restarting are calls on the one event loop, so they never wait
behind user messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Never, Protocol

import attrs

from .actor import Actor
from .dispatch import Table
from .errors import ActorFailed, ActorStopped, MailboxFull, SystemStopped
from .event import DeadLetter, Events, Failed, Restarted, Zombie
from .scheduler import BUDGET, Scheduler

GRACE = 1.0
"""Seconds that a cancelled handler has before it is cut off as a zombie."""


class Status(Enum):
    """Where a cell stands."""

    STARTING = "starting"
    RUNNING = "running"
    FAILED = "failed"
    STOPPING = "stopping"
    STOPPED = "stopped"


@attrs.frozen
class Failure:
    """What a parent is told: which incarnation failed, with what, on which message (empty: on none)."""

    path: str
    error: BaseException
    message: str = ""


class Parent(Protocol):
    """Who decides what a failure means."""

    def child_failed(self, child: Cell, failure: Failure) -> None:
        """Take note; the child waits for `restart` or `stop`. Never blocks."""
        ...


class Host(Protocol):
    """What a cell needs from the system around it."""

    loop: asyncio.AbstractEventLoop
    scheduler: Scheduler
    events: Events
    stopped: bool


class Delivery:
    """A message on its way to a volatile actor: the object itself, and the future of its reply, if it was asked."""

    __slots__ = ("message", "reply", "sent")

    def __init__(self, message: object, reply: asyncio.Future[object] | None) -> None:
        self.message = message
        self.reply = reply
        self.sent = monotonic()


class Cell:
    """A volatile actor's cell. `start` before anything else."""

    __slots__ = (
        "_actor",
        "_batch",
        "_box",
        "_busy",
        "_depth",
        "_factory",
        "_host",
        "_idle",
        "_parent",
        "_room",
        "_worker",
        "current",
        "incarnation",
        "limit",
        "path",
        "status",
        "table",
    )

    def __init__(self, host: Host, parent: Parent, path: str, factory: Callable[[], Actor[Never]], limit: int) -> None:
        self.path = path
        self.table: Table = {}
        self.limit = limit
        self.status = Status.STARTING
        self.incarnation = 0
        self.current: Delivery | None = None
        self._host = host
        self._parent = parent
        self._factory = factory
        self._actor: Actor[Never] | None = None
        self._box: list[Delivery] | None = None
        self._busy = False
        self._depth = 0
        self._batch: list[Delivery] = []
        self._room: list[asyncio.Future[None]] = []
        self._worker: asyncio.Task[object] | None = None
        self._idle: asyncio.Future[None] | None = None

    @property
    def depth(self) -> int:
        """How many messages wait."""
        return self._depth

    def put(self, delivery: Delivery) -> None:
        """Take a message without waiting.

        Raises:
            MailboxFull: when `limit` messages wait already.
            ActorStopped: when the cell has stopped and somebody waits for the reply.
        """
        if self.status is Status.STOPPED:
            self._refuse(delivery)
            return
        if self._depth >= self.limit:
            raise MailboxFull(f"{self.path} has {self._depth} messages waiting (its limit): use send, which waits")
        self._depth += 1
        if self._box is None:
            self._box = [delivery]
            if not self._busy and self.status is Status.RUNNING:
                self._busy = True
                self._host.scheduler.activate(self)
        else:
            self._box.append(delivery)

    async def put_when_room(self, delivery: Delivery) -> None:
        """Take a message, waiting for room as long as it takes; a cell that stops meanwhile raises ActorStopped."""
        while self._depth >= self.limit and self.status is not Status.STOPPED:
            waiter = self._host.loop.create_future()
            self._room.append(waiter)
            await waiter
        if self.status is Status.STOPPED:
            raise ActorStopped(self.path)
        self.put(delivery)

    async def start(self) -> None:
        """Build the actor and run its `on_start`; what it raises goes to the caller."""
        self.status = Status.STARTING
        self.incarnation += 1
        actor = self._factory()
        self.table = type(actor).__choragus_table__
        actor.attach(self.path, self._host)
        await actor.on_start()
        self._actor = actor
        self._resume()

    async def restart(self) -> None:
        """A new incarnation behind the same ref and mailbox. What `on_start` raises goes to the caller."""
        await self.start()
        self._host.events.publish(Restarted(self.path, self.incarnation))

    async def stop(self, timeout: float) -> None:
        """End after the message in hand; past `timeout` seconds cancel it, past the grace cut it off.

        Messages that still wait are refused: their askers get ActorStopped. `on_stop` runs within what is left.
        """
        if self.status is Status.STOPPED:
            return
        self.status = Status.STOPPING
        deadline = self._host.loop.time() + timeout
        await self._settle(deadline)
        actor, self._actor = self._actor, None
        if actor is not None:
            await self._run_on_stop(actor, deadline)
        self._finish()

    def kill(self) -> None:
        """Cancel the handler in hand, as a watchdog does; the failure goes to the parent."""
        if self._worker is not None:
            self._worker.cancel()

    async def drain(self) -> int:
        """Handle the messages that wait, one after the other."""
        self._batch, self._box = self._box or [], None
        batch = self._batch
        batch.reverse()
        incarnation = self.incarnation
        self._worker = asyncio.current_task()
        done = 0
        while batch and self.status is Status.RUNNING:
            delivery = self.current = batch.pop()
            done += 1
            self._depth -= 1
            try:
                result = await self._call(delivery.message)
            except asyncio.CancelledError as error:
                if incarnation == self.incarnation:
                    self._interrupted(delivery, error)
                raise
            except Exception as error:
                self._still(incarnation)
                self._failed(delivery, error)
                return done
            self._still(incarnation)
            _reply(self._host.events, self.path, delivery, result)
            if not done % BUDGET:
                await asyncio.sleep(0)
        self._rest()
        return done

    async def _call(self, message: object) -> object:
        handler = self.table[type(message)]
        result = handler.function(self._actor, message)
        return await result if handler.is_async else result  # type: ignore[misc]  # a coroutine when it is async

    def _resume(self) -> None:
        self.status = Status.RUNNING
        if self._box is not None and not self._busy:
            self._busy = True
            self._host.scheduler.activate(self)

    def _still(self, incarnation: int) -> None:
        """End the worker of a handler that was cut off: a worker that was cancelled is never used again."""
        if incarnation != self.incarnation:
            raise asyncio.CancelledError(f"{self.path} was cut off")

    def _rest(self) -> None:
        """Put back what was not handled, let go of the worker, and go on or fall idle."""
        self._worker = None
        self.current = None
        if self._batch:
            self._box = self._batch[::-1] + (self._box or [])
            self._batch = []
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        self._let_in()
        if self.status is Status.RUNNING and self._box is not None:
            self._busy = True
            self._host.scheduler.activate(self)

    def _let_in(self) -> None:
        room, self._room = self._room, []
        for waiter in room:
            if not waiter.done():
                waiter.set_result(None)

    def _failed(self, delivery: Delivery, error: BaseException) -> None:
        name = type(delivery.message).__name__
        failure = ActorFailed(self.path, name)
        failure.__cause__ = error
        _fail(delivery, failure)
        stopping = self.status is Status.STOPPING
        if not stopping:
            self.status = Status.FAILED
        self._rest()
        self._host.events.publish(Failed(self.path, error, name))
        if not stopping:
            self._parent.child_failed(self, Failure(self.path, error, name))

    def _interrupted(self, delivery: Delivery, error: asyncio.CancelledError) -> None:
        """A handler was cancelled: by the system's end, its stop deadline, a watchdog, or it raised that itself."""
        if self._host.stopped:
            _fail(delivery, SystemStopped(f"the system stopped while {self.path} was busy with the message"))
            self._rest()
        else:
            self._failed(delivery, error)

    async def _settle(self, deadline: float) -> None:
        """Wait until no handler runs: until the deadline in patience, then by cancelling, then by cutting it off."""
        await self._until_idle(deadline)
        if self._worker is not None:
            self._worker.cancel()
            await self._until_idle(self._host.loop.time() + GRACE)
        if self._worker is not None:
            self._cut_off()

    async def _until_idle(self, deadline: float) -> None:
        if self._worker is not None:
            self._idle = self._host.loop.create_future()
            await asyncio.wait({self._idle}, timeout=max(0.0, deadline - self._host.loop.time()))
            self._idle = None

    def _cut_off(self) -> None:
        delivery = self.current
        self.incarnation += 1
        self._host.events.publish(Zombie(self.path, "" if delivery is None else type(delivery.message).__name__))
        if delivery is not None:
            _fail(delivery, ActorStopped(self.path))
        self._rest()

    async def _run_on_stop(self, actor: Actor[Never], deadline: float) -> None:
        stopping = self._host.loop.create_task(actor.on_stop(), name=f"choragus:{self.path}:on_stop")
        await asyncio.wait({stopping}, timeout=max(GRACE, deadline - self._host.loop.time()))
        if not stopping.done():
            stopping.cancel()
            self._host.events.publish(Zombie(self.path, "on_stop"))
        elif not stopping.cancelled() and (error := stopping.exception()) is not None:
            self._host.events.publish(Failed(self.path, error, "on_stop"))

    def _finish(self) -> None:
        self.status = Status.STOPPED
        self.incarnation += 1
        box, self._box = self._box or [], None
        self._depth = 0
        for delivery in box:
            self._refuse(delivery)
        self._let_in()

    def _refuse(self, delivery: Delivery) -> None:
        if delivery.reply is None:
            self._host.events.publish(DeadLetter(self.path, delivery.message))
        else:
            _fail(delivery, ActorStopped(self.path))


def _reply(events: Events, path: str, delivery: Delivery, result: object) -> None:
    reply = delivery.reply
    if reply is None:
        return
    if reply.done():
        events.publish(DeadLetter(path, result))
    else:
        reply.set_result(result)


def _fail(delivery: Delivery, error: BaseException) -> None:
    if delivery.reply is not None and not delivery.reply.done():
        delivery.reply.set_exception(error)
