"""The cell: one actor's mailbox, incarnation and status. Its state changes here and nowhere else.

A cell runs one message at a time. It never decides what a failure means: it stops taking messages, tells its parent,
and waits for `restart` or `stop`. Stopping, failing and restarting are calls on the one event loop, so they never wait
behind user messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import CoroutineType
from typing import Never, Protocol

from .actor import Actor
from .delivery import Delivery
from .dispatch import Table
from .errors import ActorStopped, Ignore, MailboxFull
from .event import DeadLetter, Failed, Restarted, Zombie
from .hook import Starting, run_on_stop
from .host import Host
from .room import Room
from .scheduler import BUDGET
from .status import GRACE, Exit, Failure, Reason, Status


class Parent(Protocol):
    """Who decides what a failure means."""

    def child_failed(self, child: Cell, failure: Failure) -> None:
        """Take note; the child waits for `restart`, `resume` or `stop`. Never blocks."""
        ...

    def child_ended(self, child: Cell) -> None:
        """Take note that the child ended normally, of its own accord. Never blocks."""
        ...


RUNNING = Status.RUNNING

FAREWELL = 5.0
"""Seconds for the `on_stop` of an actor that ends by itself."""


class Cell:
    """A volatile actor's cell. `start` before anything else; a stopped one may be started again."""

    __slots__ = (
        "_actor",
        "_batch",
        "_box",
        "_busy",
        "_depth",
        "_ending",
        "_exit",
        "_factory",
        "_host",
        "_idle",
        "_keeps",
        "_leaves",
        "_parent",
        "_room",
        "_starter",
        "_watchers",
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
        self._room: Room | None = None
        self._worker: asyncio.Task[object] | None = None
        self._starter: Starting | None = None
        self._ending: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._keeps = False
        self._leaves = False
        self._exit = Exit(Reason.NORMAL)
        self._watchers: list[Callable[[Exit], None]] = []

    @property
    def depth(self) -> int:
        """How many messages wait."""
        return self._depth

    # Mail.

    def put(self, delivery: Delivery) -> None:
        """Take a message without waiting; a stopped cell makes it a dead letter, and fails its asker.

        Raises:
            MailboxFull: when `limit` messages wait already.
        """
        if self.status is Status.STOPPED:
            delivery.refuse(self.path, self._host.events)
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

    def put_late(self, delivery: Delivery) -> None:
        """Take a message whose sender can no longer be told anything: what does not fit is a dead letter."""
        if self._depth >= self.limit:
            self._host.events.publish(DeadLetter(self.path, delivery.message))
        else:
            self.put(delivery)

    async def put_when_room(self, delivery: Delivery) -> None:
        """Take a message, waiting for room as long as it takes; a cell that stops meanwhile raises ActorStopped."""
        while self._depth >= self.limit and self.status is not Status.STOPPED:
            self._room = self._room or Room(self._host.loop)
            await self._room.wait()
        if self.status is Status.STOPPED:
            raise ActorStopped(self.path)
        self.put(delivery)

    # Life.

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        """Do this when the actor has ended, once; now, if it has. A restart is no end.

        The function returned takes it back, and does nothing after the end.
        """
        if self.status is Status.STOPPED:
            action(self._exit)
            return lambda: None

        def forget() -> None:
            if action in self._watchers:
                self._watchers.remove(action)

        self._watchers.append(action)
        return forget

    async def start(self) -> None:
        """Build the actor and run its `on_start`; what it raises goes to the caller.

        Raises:
            ActorStopped: when the cell is stopped meanwhile.
            Ignore: when the actor says so, or stops itself in its `on_start`.
        """
        self.status = Status.STARTING
        self._actor = None
        self._leaves = False
        self.incarnation += 1
        incarnation = self.incarnation
        actor = self._factory()
        self.table = type(actor).__choragus_table__
        actor.attach(self.path, self._host, self)
        if type(actor).on_start is not Actor.on_start:
            await self._run_on_start(actor)
        if self.status is not Status.STARTING or incarnation != self.incarnation:
            raise ActorStopped(self.path)
        if self._leaves:
            raise Ignore(self.path)
        self._actor = actor
        self.status = Status.RUNNING
        self._go_on()

    async def restart(self) -> None:
        """A new incarnation behind the same ref and mailbox. What `on_start` raises goes to the caller."""
        await self.start()
        self._host.events.publish(Restarted(self.path, self.incarnation))

    def resume(self) -> None:
        """Go on with the actor as it is, after its failure on a message."""
        if self.status is Status.FAILED:
            self.status = Status.RUNNING
            self._go_on()

    def leave(self) -> None:
        """End after the message in hand, without one at once, and tell the parent when it is over."""
        if self.status is Status.STARTING:
            self._leaves = True
        elif self.status is Status.RUNNING:
            self.status = Status.STOPPING
            self._leaves = True
            if self._worker is None:
                self._depart()

    async def halt(self, timeout: float) -> None:
        """End the incarnation as `stop` does, but keep the mail: the cell waits for `restart` or `stop`."""
        await self._stop(timeout, keeps=True)

    async def stop(self, timeout: float) -> None:
        """End after the message in hand; past `timeout` seconds cancel it, past the grace cut it off.

        Messages that still wait are refused: their askers get ActorStopped. `on_stop` runs within what is left, at
        least the grace. Called again meanwhile, it waits for the first call; a caller that is cancelled leaves the
        cell stopping.
        """
        await self._stop(timeout, keeps=False)

    async def _stop(self, timeout: float, *, keeps: bool) -> None:
        self._keeps = keeps and (self._ending is None or self._keeps)
        self._leaves = False
        if self._ending is None:
            if self.status is Status.STOPPED:
                return
            if self.status is Status.FAILED:
                self._actor = None
            else:
                self._exit = Exit(Reason.SHUTDOWN)
            self.status = Status.STOPPING
            if self._worker is None and self._starter is None and not self._has_on_stop:
                self._actor = None
                self._finish()
                return
            work = self._end(self._host.loop.time() + timeout)
            self._ending = self._host.loop.create_task(work, name=f"choragus:{self.path}:stop")
        await asyncio.shield(self._ending)

    @property
    def _has_on_stop(self) -> bool:
        return self._actor is not None and type(self._actor).on_stop is not Actor.on_stop

    async def _run_on_start(self, actor: Actor[Never]) -> None:
        starter = self._starter = Starting(actor, self._host.loop, self._host.events)
        try:
            await starter.finish()
        finally:
            if self._starter is starter:
                self._starter = None

    def _depart(self) -> None:
        self._leaves = False
        self._exit = Exit(Reason.NORMAL)
        if self._has_on_stop:
            self._ending = self._host.loop.create_task(self._bid_farewell(), name=f"choragus:{self.path}:stop")
        else:
            self._actor = None
            self._finish()
            self._parent.child_ended(self)

    async def _bid_farewell(self) -> None:
        await self._end(self._host.loop.time() + FAREWELL)
        self._parent.child_ended(self)

    async def _end(self, deadline: float) -> None:
        if self._starter is not None:
            await self._starter.end()
        await self._until_idle(deadline)
        if self._worker is not None:
            self._exit = Exit(Reason.KILLED)
            self._worker.cancel()
            await self._until_idle(self._host.loop.time() + GRACE)
        if self._worker is not None:
            self._cut_off()
        has_on_stop = self._has_on_stop
        actor, self._actor = self._actor, None
        if actor is not None and has_on_stop:
            await run_on_stop(actor, max(GRACE, deadline - self._host.loop.time()), self._host.events)
        self._finish()

    async def _until_idle(self, deadline: float) -> None:
        if self._worker is not None:
            self._idle = self._host.loop.create_future()
            await asyncio.wait({self._idle}, timeout=max(0.0, deadline - self._host.loop.time()))
            self._idle = None

    def _cut_off(self) -> None:
        delivery = self.current
        self.incarnation += 1
        self._actor = None
        self._exit = Exit(Reason.KILLED)
        self._host.events.publish(Zombie(self.path, "" if delivery is None else type(delivery.message).__name__))
        if delivery is not None:
            delivery.fail(ActorStopped(self.path))
        self._rest()

    def _finish(self) -> None:
        self.incarnation += 1
        self._ending = None
        if self._keeps:
            self.status = Status.FAILED
            return
        self.status = Status.STOPPED
        left = self._batch[::-1] + (self._box or [])
        self._batch, self._box = [], None
        self._depth = 0
        for delivery in left:
            delivery.refuse(self.path, self._host.events)
        if self._room is not None:
            self._room.let_all_in()
        watchers, self._watchers = self._watchers, []
        for watcher in watchers:
            watcher(self._exit)

    # One batch of messages: runs in a worker.

    async def drain(self) -> int:
        """Handle the messages that wait, one after the other, at most a budget of them."""
        if not self._batch:
            self._batch, self._box = self._box or [], None
            self._batch.reverse()
        batch, table, actor = self._batch, self.table, self._actor
        incarnation = self.incarnation
        worker = self._worker = asyncio.current_task(self._host.loop)
        assert worker is not None
        done = 0
        while batch and done < BUDGET and self.status is RUNNING:
            delivery = self.current = batch.pop()
            done += 1
            self._depth -= 1
            if self._room is not None:
                self._room.let_in(self.limit - self._depth)
            message = delivery.message
            try:
                handler = table[type(message)]
                result = handler.function(actor, message)
                if handler.is_async or type(result) is CoroutineType:
                    result = await result  # type: ignore[misc]  # a coroutine
            except GeneratorExit:
                raise
            except BaseException as error:
                if incarnation != self.incarnation:  # it was cut off, and a cancelled worker is never used again
                    raise asyncio.CancelledError(f"{self.path} was cut off") from error
                self._failed(delivery, error)
                if isinstance(error, Exception):
                    return done
                raise
            if incarnation != self.incarnation:
                raise asyncio.CancelledError(f"{self.path} was cut off")
            reply = delivery.reply
            if reply is not None:
                self._reply(reply, result)
            if handler.is_async and worker.cancelling():  # swallowed: such a worker handles nothing more
                break
        self._rest()
        return done

    def _rest(self) -> None:
        """Let go of the worker, and go on or fall idle; what was not handled stays where it is."""
        self._worker = None
        self.current = None
        self._busy = False
        if self._idle is not None and not self._idle.done():
            self._idle.set_result(None)
        if self._leaves:
            self._depart()
        else:
            self._go_on()

    def _go_on(self) -> None:
        if (self._batch or self._box) and not self._busy and self.status is Status.RUNNING:
            self._busy = True
            self._host.scheduler.activate(self)

    def _failed(self, delivery: Delivery, error: BaseException) -> None:
        """The handler raised, or was cancelled: by the system's end, its stop's deadline, or by itself."""
        cancelled = isinstance(error, asyncio.CancelledError)
        name = type(delivery.message).__name__
        stopping = self.status is Status.STOPPING and not self._leaves
        self._leaves = False
        delivery.crashed(self.path, error, system_stopped=self._host.stopped, stopping=stopping)
        if stopping:
            self._actor = None
        else:
            self.status = Status.FAILED
            self._exit = Exit(Reason.FAILED, error)
        self._rest()
        if cancelled and self._host.stopped:
            return
        self._host.events.publish(Failed(self.path, error, name))
        if not stopping:
            self._parent.child_failed(self, Failure(self.path, error, name))

    def _reply(self, reply: asyncio.Future[object], result: object) -> None:
        if reply.done():
            self._host.events.publish(DeadLetter(self.path, result))
        else:
            reply.set_result(result)
