"""Volatile actors by key: started by their first message, stopped when they have been idle for long."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import Coroutine
from contextlib import suppress
from typing import Generic, TypeVar

import attrs

from choragus.actors.actor import Actor, table_of
from choragus.actors.errors import ActorStopped, AskTimeout, MailboxFull, NotActivated, SystemStopped, TooManyActive
from choragus.actors.event import DeadLetter, Events, Failed
from choragus.actors.local_ref import LocalRef
from choragus.actors.message import Question
from choragus.actors.peek import is_idle, is_leaving, is_open, when_ended
from choragus.actors.reason import reason
from choragus.actors.ref import R, Ref
from choragus.mailbox.errors import ChoragusError

from .errors import NotFound
from .handle import SupervisorRef
from .keyed_ref import KeyedRef
from .seat import Presence, Seat, Waiting
from .spec import Child
from .supervisor import Node

M = TypeVar("M", contravariant=True)


class Keyed(Generic[M]):
    """The actors of one class by key, in memory only while they have something to do; made by `System.keyed()`.

    `sessions.ref("alice")` is always valid: the first message starts `Session("alice")`, and after `idle` seconds
    without one it is stopped, with its `on_stop`. The next message starts it anew, with the state of its beginning.
    What comes while one goes, or comes, waits for the next, in order. Whatever must survive belongs into a
    DurableActor.

    An actor that cannot be started (its constructor or `on_start` raises) fails those who ask with NotActivated, what
    it was told is a dead letter, a Failed event says why, and the next message tries anew. One that crashes is
    restarted by its supervisor, and keeps its mail.

    Messages that reach the actor by another ref than these, and timers, do not keep it in memory.
    """

    def __init__(self, node: Node, actor: type[Actor[M]], worker: Child[M], *, idle: float, most: int | None) -> None:
        self.path = node.path
        self.table = table_of(actor)
        self._node = node
        self._supervisor = SupervisorRef(node)
        self._kernel = node.kernel
        self._worker = worker
        self._idle = idle
        self._most = most
        self._room = None if most is None else asyncio.Semaphore(most)
        self._claimed = 0
        self._seats: OrderedDict[str, Seat[M]] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Keyed {self.path}>"

    def __len__(self) -> int:
        """How many are in memory, those that come or go included."""
        return len(self._seats)

    @property
    def active(self) -> tuple[str, ...]:
        """The keys of those in memory, the longest idle first."""
        return tuple(self._seats)

    @property
    def events(self) -> Events:
        """The event stream of its system."""
        return self._kernel.events

    def ref(self, key: str) -> Ref[M]:
        """The actor of that key, in memory or not; this alone starts nothing.

        Raises:
            ValueError: when the key is no text, or empty.
        """
        if not isinstance(key, str) or not key:
            raise ValueError(f"{key!r} is no key for {self.path}: use any text that is not empty")
        return KeyedRef(self, key)

    def path_of(self, key: str) -> str:
        """Where the actor of that key stands in the tree: a slash in the key is written as `%2F`."""
        return f"{self.path}/{_name(key)}"

    # Mail.

    def tell(self, key: str, message: M) -> None:
        """Put the message to the key's actor, or let it wait for it."""
        if self._kernel.stopped:
            self.events.publish(DeadLetter(self.path_of(key), message))
            return
        seat = self._seat(key)
        ref = seat.open_ref
        if ref is not None:
            ref.tell(message)
        else:
            self._wait(seat, Waiting(message))

    async def send(self, key: str, message: M) -> None:
        """The same, waiting for room."""
        self._check_open(key)
        seat = self._seat(key)
        ref = seat.open_ref
        if ref is None:
            waiting = Waiting(message, self._kernel.loop, counts=False)
            ref = await self._let_in(seat, waiting)
        await ref.send(message, timeout=math.inf)  # whoever sends has a limit of its own

    async def ask(self, key: str, message: Question[M, R], timeout: float) -> R:
        """The same, for a reply; the time that it takes to start the actor is part of the timeout."""
        self._check_open(key)
        seat = self._seat(key)
        ref = seat.open_ref
        if ref is not None:
            return await ref.ask(message, timeout=timeout)
        end = self._kernel.loop.time() + timeout
        waiting: Waiting[M] = Waiting(message, self._kernel.loop)  # type: ignore[arg-type]  # a request that it takes
        try:
            async with asyncio.timeout_at(end):
                ref = await self._let_in(seat, waiting)
        except TimeoutError:
            name = type(message).__name__
            raise AskTimeout(f"{seat.path} was not there to answer {name} within {timeout:g} s") from None
        return await ref.ask(message, timeout=max(end - self._kernel.loop.time(), 1e-6))

    def _check_open(self, key: str) -> None:
        if self._kernel.stopped:
            raise SystemStopped(f"the system has stopped; {self.path_of(key)} cannot be reached")

    def _wait(self, seat: Seat[M], waiting: Waiting[M]) -> None:
        if waiting.counts and seat.held >= self._worker.mailbox.limit:
            raise MailboxFull(
                f"{seat.path} is being started, with {seat.held} messages waiting (its limit): use send, which waits"
            )
        seat.hold(waiting)

    async def _let_in(self, seat: Seat[M], waiting: Waiting[M]) -> LocalRef[M]:
        """Wait until it is this one's turn; the caller puts its message at once, without waiting before."""
        self._wait(seat, waiting)
        assert waiting.gate is not None
        try:
            return await waiting.gate
        except BaseException:
            seat.drop(waiting)
            raise
        finally:
            waiting.pass_on()

    def _seat(self, key: str) -> Seat[M]:
        """The key's place, its actor there or on its way.

        Raises:
            TooManyActive: when there is no room for one more.
        """
        now = self._kernel.loop.time()
        seat = self._seats.get(key)
        if seat is None:
            self._claim(key)
            seat = self._seats[key] = Seat(key, _name(key), self.path_of(key), now)
            self._come(seat)
            return seat
        if seat.presence is Presence.ACTIVE and seat.open_ref is None:  # it ends itself
            self._go(seat)
        if seat.presence is Presence.GOING and not seat.comes_back:
            self._claim(key)
            seat.comes_back = True
        self._touch(seat, now)
        return seat

    def _touch(self, seat: Seat[M], now: float) -> None:
        seat.used = now
        self._seats.move_to_end(seat.key)

    def _claim(self, key: str) -> None:
        """Take one of the places in memory, from the longest idle if need be."""
        if self._most is not None and self._claimed >= self._most:
            idle = (seat for seat in self._seats.values() if seat.open_ref is not None and is_idle(seat.open_ref))
            longest = next(idle, None)
            if longest is None:
                raise TooManyActive(self.path_of(key), self._most)
            self._passivate(longest)
        self._claimed += 1

    # Coming.

    def _come(self, seat: Seat[M]) -> None:
        seat.presence = Presence.COMING
        seat.comes_back = False
        self._do(self._activate(seat))

    async def _activate(self, seat: Seat[M]) -> None:
        if self._room is not None:
            await self._room.acquire()
        try:
            ref = await self._started(seat)
        except BaseException as error:
            self._leave_room()
            self._failed(seat, error)
            if isinstance(error, Exception):
                return
            raise
        seat.ref = ref
        when_ended(ref, lambda _: self._ended(seat, ref))
        await self._hand_over(seat, ref)

    async def _started(self, seat: Seat[M]) -> LocalRef[M]:
        with suppress(NotFound):
            await self._supervisor.stop_child(seat.name)  # the one before it may still be about to leave its place
        spec = attrs.evolve(self._worker, name=seat.name, args=(seat.key, *self._worker.args))
        ref = await self._supervisor.start_child(spec)
        assert isinstance(ref, LocalRef)
        if not is_open(ref):
            raise NotActivated(seat.path, "it does not want to run")
        return ref

    async def _hand_over(self, seat: Seat[M], ref: LocalRef[M]) -> None:
        """Give it what waited, in order; what it leaves when it ends meanwhile is for the next one."""
        while seat.waiting and seat.ref is ref:
            first = seat.waiting[0]
            if is_leaving(ref):
                return
            if first.passed is not None and first.gate is not None:
                seat.drop(first)
                if not first.gate.done():
                    first.gate.set_result(ref)
                    await first.passed
                continue
            try:
                await ref.send(first.message)
            except ActorStopped:
                return
            except ChoragusError:
                self.events.publish(DeadLetter(seat.path, first.message))
            seat.drop(first)
        if seat.ref is ref:
            seat.presence = Presence.ACTIVE
            self._set_timer()

    def _failed(self, seat: Seat[M], error: BaseException) -> None:
        """It could not be started: everybody who waits is told."""
        self._claimed -= 1
        self._forget(seat)
        if not self._node.is_ending:
            self.events.publish(Failed(seat.path, error, "on_start"))
        waiting = tuple(seat.waiting)
        seat.waiting.clear()
        for one in waiting:
            if one.gate is None:
                self.events.publish(DeadLetter(seat.path, one.message))
            elif not one.gate.done():
                one.gate.set_exception(self._why(seat, error))

    def _why(self, seat: Seat[M], error: BaseException) -> ChoragusError:
        if self._node.is_ending:
            return ActorStopped(seat.path)
        why = NotActivated(seat.path, reason(error))
        why.__cause__ = error
        return why

    # Going.

    def _passivate(self, seat: Seat[M]) -> None:
        self._go(seat)
        self._do(self._stop(seat.name))

    def _go(self, seat: Seat[M]) -> None:
        seat.presence = Presence.GOING
        self._claimed -= 1

    async def _stop(self, name: str) -> None:
        with suppress(NotFound, ActorStopped):
            await self._supervisor.stop_child(name)

    def _ended(self, seat: Seat[M], ref: LocalRef[M]) -> None:
        """Its actor has ended: passivated, by itself, given up, or with its supervisor."""
        seat.ref = None
        self._leave_room()
        if seat.presence is Presence.ACTIVE or (seat.presence is Presence.COMING and not seat.waiting):
            self._go(seat)
        if seat.presence is Presence.GOING and not seat.comes_back:
            self._forget(seat)
        else:
            self._come(seat)

    def _leave_room(self) -> None:
        if self._room is not None:
            self._room.release()

    def _forget(self, seat: Seat[M]) -> None:
        if self._seats.get(seat.key) is seat:
            del self._seats[seat.key]
        if not self._seats and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Time: one timer, for the longest idle.

    def _set_timer(self) -> None:
        if self._timer is None and self._seats and self._idle != float("inf"):
            first = next(iter(self._seats.values()))
            self._timer = self._kernel.loop.call_at(first.used + self._idle, self._sweep)

    def _sweep(self) -> None:
        """Passivate those that have been idle for long enough; those that are busy begin anew."""
        self._timer = None
        now = self._kernel.loop.time()
        due: list[Seat[M]] = []
        for seat in self._seats.values():
            if seat.used + self._idle > now:
                break
            due.append(seat)
        for seat in due:
            if seat.open_ref is not None and is_idle(seat.open_ref):
                self._passivate(seat)
            self._touch(seat, now)
        self._set_timer()

    def _do(self, work: Coroutine[object, None, None]) -> None:
        task = self._kernel.scheduler.task(work, f"choragus:{self.path}")
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._kernel.fail(error)


def _name(key: str) -> str:
    """The key as a child's name, which has no slash."""
    return key.replace("%", "%25").replace("/", "%2F")
