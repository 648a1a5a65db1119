"""The cell: one actor's mailbox, incarnation and status. Its state changes here and nowhere else.

A cell runs one message at a time. It never decides what a failure means: it stops taking messages, tells its parent,
and waits for `restart` or `stop`. Stopping, failing and restarting are calls on the one event loop, so they never wait
behind user messages.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Never, Protocol

from .actor import Actor
from .annex import Annex
from .asking import check_cycle, note
from .delivery import Delivery, crashed, fail, sender_of
from .dispatch import Handler, Table
from .errors import ActorStopped, Ignore, Unhandled
from .event import DeadLetter, Failed, Restarted, SlowHandler, Zombie, logger
from .hook import Starting, run_on_stop
from .host import Host
from .inside import Speaker
from .mail import Mail
from .mailbox import Mailbox
from .notice import Notice
from .place import Around
from .ref import unhandled
from .reply import Reply
from .scheduler import BUDGET, TAINTED, has_changed
from .status import GRACE, Exit, Failure, Reason, Status
from .watch import Linked, break_links


class Parent(Protocol):
    """Who decides what a failure means."""

    def child_failed(self, child: Cell, failure: Failure) -> None:
        """Take note; the child waits for `restart`, `resume` or `stop`. Never blocks."""
        ...

    def child_ended(self, child: Cell) -> None:
        """Take note that the child ended normally, of its own accord. Never blocks."""
        ...


class Recipe(Protocol):
    """How the actor is made, anew for every incarnation."""

    @property
    def startup(self) -> float:
        """Seconds that its `on_start` may take."""
        ...

    def build(self) -> Actor[Never]:
        """A new actor."""
        ...


RUNNING = Status.RUNNING

FAREWELL = 5.0
"""Seconds for the `on_stop` of an actor that ends by itself."""

NOTHING: Table = {}

AWAITED = (CoroutineType, Reply)
"""What a plain handler may return to have it awaited."""

NORMAL, SHUTDOWN, KILLED = Exit(Reason.NORMAL), Exit(Reason.SHUTDOWN), Exit(Reason.KILLED)


class Cell(Mail):
    """A volatile actor's cell. `start` before anything else; a stopped one may be started again."""

    __slots__ = (
        "_actor",
        "_exit",
        "_keeps",
        "_leaves",
        "_parent",
        "_recipe",
        "_worker",
        "incarnation",
        "since",
        "table",
    )

    def __init__(self, host: Host, parent: Parent, path: str, recipe: Recipe, mailbox: Mailbox) -> None:
        Mail.__init__(self, host, path, mailbox)
        self.table = NOTHING
        self.incarnation = 0
        self.since = 0.0
        self._parent = parent
        self._recipe = recipe
        self._actor: Actor[Never] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._exit = NORMAL
        self._keeps = False
        self._leaves = False

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two messages."""
        delivery = self.current
        return "" if delivery is None else _name_of(delivery)

    # What actors ask of their cell.

    def handles(self, kind: type) -> bool:
        """Whether the actor has a handler for messages of that type."""
        return kind in self.table

    def become(self, behaviour: object) -> None:
        """Handle messages by another actor object, from the next one on, until the incarnation ends."""
        if not isinstance(behaviour, Actor):
            raise TypeError(f"{self.path} cannot become {behaviour!r}: that is no actor object")
        if behaviour._choragus_cell not in (None, self):
            raise ValueError(f"{self.path} cannot become an object that {behaviour.path} has become: make another")
        table = type(behaviour).__choragus_table__
        missing = [kind.__name__ for kind in self.table if kind not in table]
        if missing:
            raise Unhandled(f"{type(behaviour).__name__} cannot take over {self.path}: it lacks handlers for {missing}")
        behaviour._choragus_cell = self
        behaviour._choragus_incarnation = self.incarnation
        self.annex.table = self.own_table
        self._actor, self.table = behaviour, table

    @property
    def own_table(self) -> Table:
        """What the actor of the spec handles, whatever it has become."""
        annex = self._annex
        return self.table if annex is None or annex.table is None else annex.table

    @property
    def around(self) -> Around:
        """The system, as its actor sees it."""
        return self.host

    def asked_by(self, speaker: Speaker, reply: Reply[object]) -> None:
        """An actor asks this one; when that is what its handler does, remember it, for as long as the handler runs.

        Raises:
            AskCycle: when this actor waits, over however many others, for the one that asks.
        """
        if isinstance(speaker, Cell) and speaker._worker is not None and speaker._worker is current_task():
            check_cycle(speaker, self)
            note(speaker.annex.asking, reply)

    @property
    def asking(self) -> list[Reply[object]]:
        """What the message in hand waits for."""
        return [] if self._annex is None else [one for one in self._annex.asking if not one.done()]

    @property
    def links(self) -> set[Linked]:
        """Whom it fails with."""
        return self.annex.links

    # Life.

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        """Do this when the actor has ended, once; now, if it has. A restart is no end.

        The function returned takes it back, and does nothing after the end.
        """
        if self.status is Status.STOPPED:
            action(self._exit)
            return lambda: None
        watchers, token = self.annex.watchers, object()
        watchers[token] = action

        def forget() -> None:
            watchers.pop(token, None)

        return forget

    @property
    def starts_at_once(self) -> bool:
        """Whether the last incarnation had no `on_start`."""
        return self._actor is not None and type(self._actor).on_start is Actor.on_start

    def begin(self) -> Coroutine[object, None, None] | None:
        """Build the actor; without an `on_start` it runs now. Otherwise await what is given back, which runs it.

        Raises:
            Ignore: when the actor stops itself while it is built.
        """
        if self.incarnation:
            self.status = Status.STARTING
            self._actor = None
            self._leaves = False
            self._mark = self._mailbox.mark
        self.incarnation += 1
        if self._annex is not None:  # what was set aside comes first; timers and links were those of the last one
            self._part()
            self.unstash_all()
            self._annex.table = None
        try:
            build = self._recipe.build  # a restart may be made where a handler has failed, in what it left behind
            actor = build() if self.incarnation == 1 else self.host.scheduler.apart(build, self)
        except Exception as error:
            self._not_started(error)
            raise
        actor._choragus_cell = self
        actor._choragus_incarnation = self.incarnation
        self.table = actor.__choragus_table__
        if type(actor).on_start is not Actor.on_start:
            return self._start(actor, self.incarnation)
        self._run(actor)
        return None

    def restarted(self) -> None:
        """Tell that a new incarnation runs."""
        self.host.events.publish(Restarted(self.path, self.incarnation))

    async def _start(self, actor: Actor[Never], incarnation: int) -> None:
        """Run its `on_start`; what it raises goes to the caller.

        Raises:
            ActorStopped: when the cell is stopped meanwhile.
            Ignore: when the actor says so, or stops itself in its `on_start`.
        """
        starter = self.annex.starter = Starting(actor, self.host)
        try:
            await starter.finish(self._recipe.startup)
        except Exception as error:
            if self.status is Status.STARTING and incarnation == self.incarnation:
                self._not_started(error)
            raise
        finally:
            if self.annex.starter is starter:
                self.annex.starter = None
        if self.status is not Status.STARTING or incarnation != self.incarnation:
            raise ActorStopped(self.path)
        self._run(actor)

    def _not_started(self, error: Exception) -> None:
        """Its start failed, which is a failure like any other; one that ignores it has ended by itself."""
        self.status = Status.FAILED
        self._actor = None
        self._exit = NORMAL if isinstance(error, Ignore) else Exit(Reason.FAILED, error)
        if self._annex is not None and self._annex.links:
            break_links(self, self._exit)

    def _run(self, actor: Actor[Never]) -> None:
        if self._leaves:
            self._not_started(ignored := Ignore(self.path))
            raise ignored
        if self._actor is None:  # else it has become another in its on_start
            self._actor = actor
        self.status = RUNNING
        if self.depth:
            self._wake()

    def resume(self) -> None:
        """Go on with the actor as it is, after its failure on a message."""
        if self.status is Status.FAILED:
            self.status = RUNNING
            self._wake()

    def leave(self) -> None:
        """End after the message in hand, without one at once, and tell the parent when it is over."""
        if self.status is Status.STARTING:
            self._leaves = True
        elif self.status is RUNNING:
            self.status = Status.STOPPING
            self._leaves = True
            if not self.is_at_work:
                self._depart()

    @property
    def is_at_work(self) -> bool:
        """Whether a handler runs, or is about to."""
        return self._worker is not None or (self._annex is not None and bool(self._annex.tasks))

    async def halt(self, timeout: float) -> None:
        """End the incarnation as `stop` does, but keep the mail: the cell waits for `restart` or `stop`."""
        await self._stop(timeout, keeps=True)

    async def stop(self, timeout: float) -> None:
        """End after the message in hand; past `timeout` seconds cancel it, past the grace cut it off.

        Messages that still wait are refused: their askers get ActorStopped. `on_stop` runs within what is left, at
        least the grace. Called again meanwhile, it waits for the first call; a caller that is cancelled leaves the
        cell stopping.
        """
        if not self.stop_at_once():
            await self._stop(timeout, keeps=False)

    def stop_at_once(self) -> bool:
        """Stop, if that takes no time: nothing runs, and there is no `on_stop`. Whether it has stopped."""
        if self.status is RUNNING and self._worker is None and self._annex is None and not self._has_on_stop:
            self._exit = SHUTDOWN
            self._actor = None
            self._finish()
        return self.status is Status.STOPPED

    async def _stop(self, timeout: float, *, keeps: bool) -> None:
        annex = self.annex
        self._keeps = keeps and (annex.ending is None or self._keeps)
        self._leaves = False
        if annex.ending is None:
            if self.status is Status.STOPPED:
                return
            if self.status is Status.FAILED:
                self._actor = None
            else:
                self._exit = SHUTDOWN
            self.status = Status.STOPPING
            if not self.is_at_work and annex.starter is None and not self._has_on_stop:
                self._actor = None
                self._finish()
                return
            work = self._end(self.host.loop.time() + timeout)
            annex.ending = self.host.scheduler.task(work, f"choragus:{self.path}:stop")
        await asyncio.shield(annex.ending)

    @property
    def _has_on_stop(self) -> bool:
        return self._actor is not None and type(self._actor).on_stop is not Actor.on_stop

    def _depart(self) -> None:
        self._leaves = False
        self._exit = NORMAL
        if self._has_on_stop:
            self.annex.ending = self.host.scheduler.task(self._bid_farewell(), f"choragus:{self.path}:stop")
        else:
            self._actor = None
            self._finish()
            self._parent.child_ended(self)

    async def _bid_farewell(self) -> None:
        await self._end(self.host.loop.time() + FAREWELL)
        self._parent.child_ended(self)

    async def _end(self, deadline: float) -> None:
        annex = self.annex
        if annex.starter is not None:
            await annex.starter.end()
            self._actor = None  # also when it has become another already
        await self._until_idle(deadline)
        if self.is_at_work:
            self._exit = KILLED
            self._cancel()
            await self._until_idle(self.host.loop.time() + GRACE)
        if self.is_at_work:
            self._cut_off()
        has_on_stop = self._has_on_stop
        actor, self._actor = self._actor, None
        if actor is not None and has_on_stop:
            await run_on_stop(actor, max(GRACE, deadline - self.host.loop.time()), self.host)
        self._finish()

    def _cancel(self) -> None:
        for task in self.annex.tasks:
            task.cancel()
        if self._worker is not None:
            self._worker.cancel()

    async def _until_idle(self, deadline: float) -> None:
        if self.is_at_work:
            idle = self.annex.idle = self.host.loop.create_future()
            await asyncio.wait({idle}, timeout=max(0.0, deadline - self.host.loop.time()))
            self.annex.idle = None

    def _cut_off(self) -> None:
        delivery = self.current
        self.incarnation += 1
        self._actor = None
        self._exit = KILLED
        self.host.events.publish(Zombie(self.path, self.handling))
        if delivery is not None:
            fail(delivery, ActorStopped(self.path))
        self._rest()

    def _finish(self) -> None:
        self.incarnation += 1
        annex = self._annex
        if annex is not None:
            annex.ending = None
            self._part()
        if self._keeps:
            self.status = Status.FAILED
            return
        self.status = Status.STOPPED
        self._refuse_all()
        if annex is not None:
            if annex.watches is not None:
                annex.watches.end()
            self._tell_watchers(annex)

    def _tell_watchers(self, annex: Annex) -> None:
        watchers, annex.watchers = annex.watchers, {}
        for token in tuple(watchers):
            action = watchers.pop(token, None)  # None: taken back by one before it
            if action is not None:
                try:
                    action(self._exit)
                except Exception:
                    logger.exception("%s has ended; one of those who wanted to know failed on it", self.path)

    def _part(self) -> None:
        """The incarnation is over: what was its own goes with it."""
        annex = self.annex
        if annex.timers is not None:
            annex.timers.cancel_all()
        for task in (*annex.tasks, *annex.piped):
            task.cancel()
        if annex.links:
            break_links(self, self._exit)

    # One batch of messages: runs in a worker.

    async def drain(self, worker: asyncio.Task[None], clean: Context) -> int:  # the hot loop, in one piece
        """Handle the messages that wait, one after the other, at most a budget of them."""
        batch = self._batch
        if not batch:
            batch = self._batch = self._box or []
            self._box = None
            batch.reverse()
        self._worker = worker
        host, path, incarnation = self.host, self.path, self.incarnation
        now, record = host.now, host.record
        began = now()
        done = 0
        while batch and done < BUDGET and self.status is RUNNING:
            delivery = self.current = batch.pop()
            message, reply, sender = delivery
            kind = type(message)
            self.since = began
            self.depth -= 1
            done += 1
            if self._annex is not None:
                self._go_on()
            try:
                handler = self.table.get(kind)
                if handler is None:
                    message, handler = self._opened(message)
                    kind = type(message)
                result = handler.function(self._actor, message)
                if handler.is_async or type(result) in AWAITED:
                    result = await result  # type: ignore[misc]  # a coroutine
            except GeneratorExit:
                raise
            except BaseException as error:
                self._record_failure(delivery, error, began)
                if incarnation != self.incarnation:  # it was cut off, and a cancelled worker is never used again
                    raise asyncio.CancelledError(f"{path} was cut off") from error
                self._failed(delivery, error)
                if not isinstance(error, Exception):
                    raise
                return TAINTED if worker.cancelling() or has_changed(clean) else done
            ended = now()
            record((path, kind, "" if sender is None else sender.path, began, ended))
            if incarnation != self.incarnation:
                raise asyncio.CancelledError(f"{path} was cut off")
            if reply is not None and self.current is delivery:
                if reply.done():
                    host.events.publish(DeadLetter(path, result))
                else:
                    reply.set_result(result)
            if ended - began > host.slow:
                host.events.publish(SlowHandler(path, kind.__name__, ended - began))
            began = ended
            try:
                if worker.cancelling() or copy_context() != clean:
                    done = TAINTED
            except Exception:  # they cannot be compared
                done = TAINTED
        self._rest()
        return done

    def _go_on(self) -> None:
        """The next message is in hand: there is room, and what the last one asked is no longer waited for."""
        annex = self.annex
        if annex.asking:
            annex.asking = []
        assert self.current is not None
        self._taken_out(self.current, annex)

    def _opened(self, notice: object) -> tuple[object, Handler]:
        """What a notice in the mailbox says, and who handles that."""
        message = notice.open() if isinstance(notice, Notice) else notice
        if message is None:
            return notice, IGNORED
        handler = self.table.get(type(message))
        if handler is None and message is notice:  # it was meant for who is no longer in charge
            assert self.current is not None
            self._turn_away(self.current)
            return notice, IGNORED
        if handler is None:
            raise Unhandled(f"{self.path} has no handler for {type(message).__name__}: add a @handle method")
        if message is not notice:
            self.annex.opened = message
        return message, handler

    def _turn_away(self, delivery: Delivery) -> None:
        if delivery[1] is None:
            self.host.events.publish(DeadLetter(self.path, delivery[0], sender_of(delivery)))
        fail(delivery, unhandled(self.path, delivery[0]))
        self.current = None  # whoever asked has the answer

    def _rest(self) -> None:
        """Let go of the worker, and go on or fall idle; what was not handled stays where it is."""
        self._worker = None
        self.current = None
        self.since = 0.0
        self._busy = False
        if self._annex is not None:
            self._ease(self._annex)
        if self._leaves and not self.is_at_work:
            self._depart()
        elif self.depth:
            self._wake()
        else:
            self._batch = None

    def _ease(self, annex: Annex) -> None:
        """Whoever waits for the end of the message in hand is told."""
        annex.asking = []
        annex.aside = annex.opened = None
        if annex.idle is not None and not annex.idle.done() and not self.is_at_work:
            annex.idle.set_result(None)

    def _record_failure(self, delivery: Delivery, error: BaseException, began: float) -> None:
        host, ended = self.host, self.host.now()
        name = _name_of(delivery)
        host.record((self.path, name, sender_of(delivery), began, ended, type(error).__name__))
        if ended - began > host.slow:
            host.events.publish(SlowHandler(self.path, name, ended - began))

    def _failed(self, delivery: Delivery, error: BaseException) -> None:
        """The handler raised, or was cancelled: by the system's end, its stop's deadline, or by itself."""
        cancelled = isinstance(error, asyncio.CancelledError)
        name = _name_of(delivery)
        stopping = self.status is Status.STOPPING and not self._leaves
        self._leaves = False
        if self.current is not delivery and self._annex is not None and self._annex.aside is not None:
            self._withdraw(self._annex.aside)  # set aside by the handler that failed: it is not handled again
        crashed(delivery, self.path, error, system_stopped=self.host.stopped, stopping=stopping)
        if stopping:
            self._actor = None
        else:
            self.status = Status.FAILED
            self._exit = Exit(Reason.FAILED, error)
            if self._annex is not None and self._annex.links:
                break_links(self, self._exit)
        self._rest()
        if cancelled and self.host.stopped:
            return
        self.host.events.publish(Failed(self.path, error, name))
        if not stopping:
            self._parent.child_failed(self, Failure(self.path, error, name))


def _name_of(delivery: Delivery) -> str:
    message = delivery[0]
    return message.name if isinstance(message, Notice) else type(message).__name__


def _ignore(actor: object, message: object) -> None:
    """There is nothing to do any more."""


IGNORED = Handler("", _ignore, False)
