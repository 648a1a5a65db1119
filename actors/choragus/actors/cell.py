"""The cell: one actor's mailbox, incarnation and status. Its state changes here and nowhere else.

A cell runs one message at a time. It never decides what a failure means: it stops taking messages, tells its parent,
and waits for `restart` or `stop`. Stopping, failing and restarting are calls on the one event loop, so they never wait
behind user messages.
"""

from __future__ import annotations

import asyncio
from asyncio import current_task
from collections.abc import Coroutine
from contextvars import Context, copy_context
from types import CoroutineType
from typing import Protocol

from .actor import Actor
from .annex import Annex
from .asking import check_cycle, note
from .delivery import Delivery, crashed, fail, sender_of
from .dispatch import Handler
from .errors import Unhandled
from .event import DeadLetter, Failed, SlowHandler
from .host import Host
from .inside import Speaker, fence
from .life import NORMAL, NOTHING, Life, Recipe
from .mailbox import Mailbox
from .notice import Notice
from .ref import unhandled
from .reply import Reply
from .scheduler import BUDGET, TAINTED, has_changed
from .status import FAILED, RUNNING, STARTING, STOPPING, Exit, Failure, Reason
from .watch import break_links


class Parent(Protocol):
    """Who decides what a failure means."""

    def child_failed(self, child: Cell, failure: Failure) -> None:
        """Take note; the child waits for `restart`, `resume` or `stop`. Never blocks."""
        ...

    def child_ended(self, child: Cell) -> None:
        """Take note that the child ended normally, of its own accord. Never blocks."""
        ...


AWAITED = (CoroutineType, Reply)
"""What a plain handler may return to have it awaited."""


class Cell(Life):
    """A volatile actor's cell. `start` before anything else; a stopped one may be started again."""

    __slots__ = ("_parent",)

    def __init__(self, host: Host, parent: Parent, path: str, recipe: Recipe, mailbox: Mailbox) -> None:
        # All of it here, and not each class its own: this is half of what a spawn costs.
        self.host = host
        self.path = path
        self.status = STARTING
        self.table = NOTHING
        self.current = None
        self.depth = 0
        self.incarnation = 0
        self.since = 0.0
        self._parent = parent
        self._recipe = recipe
        self._mailbox = mailbox
        self._mark = mailbox.mark
        self._box = None
        self._batch = None
        self._busy = False
        self._annex = None
        self._actor = None
        self._worker = None
        self._exit = NORMAL
        self._leaves = False

    @property
    def handling(self) -> str:
        """The type name of the message in hand; empty between two messages."""
        delivery = self.current
        return "" if delivery is None else _name_of(delivery)

    # What actors ask of their cell.

    def stash(self) -> None:
        """Set the message in hand aside; only its own handler can, and no reentrant one, which has let go of it.

        Raises:
            RuntimeError: when the caller has no message in hand.
            StashFull: when there is no room for it.
        """
        if self._worker is None or self._worker is not current_task():
            raise RuntimeError(f"{self.path} has no message in hand to stash: call stash() in a handler, once")
        super().stash()

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

    def asked_by(self, speaker: Speaker, reply: Reply[object]) -> None:
        """An actor asks this one, or waits for room in it; when that is what its handler does, remember it, for as long
        as the handler runs.

        Raises:
            AskCycle: when this actor waits, over however many others, for the one that asks or sends.
        """
        if isinstance(speaker, Cell) and speaker._worker is not None and speaker._worker is current_task():
            check_cycle(speaker, self)
            note(speaker.annex.asking, reply)

    @property
    def asking(self) -> list[Reply[object]]:
        """What the message in hand waits for."""
        return [] if self._annex is None else [one for one in self._annex.asking if not one.done()]

    def run_beside(self, work: Coroutine[object, None, object]) -> None:
        """Go on with the next message; the reply to this one comes when the work is done."""
        delivery, self.current = self.current, None
        assert delivery is not None
        name = f"choragus:{self.path}:{_name_of(delivery)}"
        task = self.host.scheduler.task(work, name, self)
        incarnation, began = self.incarnation, self.since
        self.annex.tasks[task] = delivery
        task.add_done_callback(lambda task: self._beside(task, delivery, incarnation, began))

    def _beside(self, task: asyncio.Task[object], delivery: Delivery, incarnation: int, began: float) -> None:
        """A reentrant handler has ended."""
        mine = self.annex.tasks.pop(task, None) is not None and incarnation == self.incarnation
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if not mine:  # the incarnation is over, and its askers have been told
            return
        if error is not None:
            self._record_failure(delivery, error, began)
            self._failed_beside(delivery, error)
            return
        ended = self.host.now()
        self.host.record((self.path, type(delivery[0]), sender_of(delivery), began, ended))
        self._answer(delivery[1], task.result())
        self._ease(self.annex)
        if self._leaves and not self.is_at_work:
            self._depart()

    def _failed_beside(self, delivery: Delivery, error: BaseException) -> None:
        """The actor fails as a whole: all else that it has in hand is cancelled, and refused whatever comes of it."""
        stopping = self.status is STOPPING and not self._leaves
        if not stopping:
            self.incarnation += 1
            self._cancel()
            for task in (*self.annex.tasks, *((self._worker,) if self._worker is not None else ())):
                fence(task)
            in_hand = [*self.annex.tasks.values(), *((self.current,) if self.current is not None else ())]
            self.annex.tasks.clear()
            for other in in_hand:
                crashed(other, self.path, error, system_stopped=self.host.stopped, stopping=False)
        if stopping and self.is_at_work:
            crashed(delivery, self.path, error, system_stopped=self.host.stopped, stopping=True)
        else:
            self._failed(delivery, error)

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
        until = host.scheduler.until
        has_values = len(clean) > 1  # beside the speaker, which equals nobody else: then they are looked at one by one
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
                if now() > until:
                    done = BUDGET
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
            if ended > until:
                if ended - began > host.slow:
                    host.events.publish(SlowHandler(path, kind.__name__, ended - began))
                if done < BUDGET:
                    done = BUDGET  # it may have blocked: others have their turn
            began = ended
            if worker.cancelling() or (has_changed(clean) if has_values else copy_context() != clean):
                done = TAINTED
        self._rest()
        return done

    def _answer(self, reply: asyncio.Future[object] | None, result: object) -> None:
        if reply is not None and reply.done():
            self.host.events.publish(DeadLetter(self.path, result))
        elif reply is not None:
            reply.set_result(result)

    def _ended(self) -> None:
        self._parent.child_ended(self)

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
        stopping = self.status is STOPPING and not self._leaves
        self._leaves = False
        if self.current is not delivery and self._annex is not None and self._annex.aside is not None:
            self._withdraw(self._annex.aside)  # set aside by the handler that failed: it is not handled again
        crashed(delivery, self.path, error, system_stopped=self.host.stopped, stopping=stopping)
        if stopping:
            self._actor = None
        else:
            self.status = FAILED
            self._exit = Exit(BY_FAILURE, error)
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


BY_FAILURE = Reason.FAILED  # by name, see Status

IGNORED = Handler("", _ignore, False)
