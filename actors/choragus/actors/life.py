"""The life of one actor: its incarnations, from the first start to the end.

Starting, stopping, failing and restarting are calls on the one event loop, so they never wait behind user messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Never, Protocol

from .actor import Actor
from .annex import Annex
from .delivery import fail
from .dispatch import Table
from .errors import ActorStopped, Ignore
from .event import Restarted, Zombie, logger
from .hook import Starting, run_on_stop
from .inside import fence
from .mail import Mail
from .place import Around
from .status import FAILED, GRACE, RUNNING, STARTING, STOPPED, STOPPING, Exit, Reason
from .watch import Linked, break_links


class Recipe(Protocol):
    """How the actor is made, anew for every incarnation."""

    @property
    def startup(self) -> float:
        """Seconds that its `on_start` may take."""
        ...

    def build(self) -> Actor[Never]:
        """A new actor."""
        ...


FAREWELL = 5.0
"""Seconds for the `on_stop` of an actor that ends by itself."""

NOTHING: Table = {}

NO_START, NO_STOP = Actor.on_start, Actor.on_stop

NORMAL, SHUTDOWN, KILLED = Exit(Reason.NORMAL), Exit(Reason.SHUTDOWN), Exit(Reason.KILLED)


class Life(Mail):
    """The half of a cell that comes, stays and goes. One that has stopped may be started again."""

    __slots__ = (
        "_actor",
        "_exit",
        "_leaves",
        "_recipe",
        "_worker",
        "incarnation",
        "since",
        "table",
    )

    table: Table
    incarnation: int
    since: float
    _recipe: Recipe
    _actor: Actor[Never] | None
    _worker: asyncio.Task[None] | None
    _exit: Exit
    _leaves: bool

    def run_beside(self, work: Coroutine[object, None, object]) -> None:
        """Go on with the next message while this runs."""
        raise NotImplementedError

    def become(self, behaviour: object) -> None:
        """Handle messages by another actor object."""
        raise NotImplementedError

    def handles(self, kind: type) -> bool:
        """Whether the actor has a handler for messages of that type."""
        return kind in self.table

    def _ended(self) -> None:
        """The actor has ended by itself: tell whom it concerns."""
        raise NotImplementedError

    def _rest(self) -> None:
        """Nothing is in hand any more: go on, or fall idle."""
        raise NotImplementedError

    @property
    def around(self) -> Around:
        """The system, as its actor sees it."""
        return self.host

    @property
    def links(self) -> set[Linked]:
        """Whom it fails with."""
        return self.annex.links

    @property
    def own_table(self) -> Table:
        """What the actor of the spec handles, whatever it has become."""
        annex = self._annex
        return self.table if annex is None or annex.table is None else annex.table

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        """Do this when the actor has ended, once; now, if it has. A restart is no end.

        The function returned takes it back, and does nothing after the end.
        """
        if self.status is STOPPED:
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
        return self._actor is not None and type(self._actor).on_start is NO_START

    def begin(self) -> Coroutine[object, None, None] | None:
        """Build the actor; without an `on_start` it runs now. Otherwise await what is given back, which runs it.

        Raises:
            Ignore: when the actor stops itself while it is built.
        """
        if self.incarnation:
            self.status = STARTING
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
        if type(actor).on_start is not NO_START:
            return self._start(actor, self.incarnation)
        self._run(actor)
        return None

    def restarted(self) -> None:
        """Tell that a new incarnation runs."""
        events = self.host.events
        if events.want(Restarted):
            events.publish(Restarted(self.path, self.incarnation))

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
            if self.status is STARTING and incarnation == self.incarnation:
                self._not_started(error)
            raise
        finally:
            if self.annex.starter is starter:
                self.annex.starter = None
        if self.status is not STARTING or incarnation != self.incarnation:
            raise ActorStopped(self.path)
        self._run(actor)

    def _not_started(self, error: Exception) -> None:
        """Its start failed, which is a failure like any other; one that ignores it has ended by itself."""
        self.status = FAILED
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
        self._exit = NORMAL  # the last failure holds its frames, and all that these hold
        if self.depth:
            self._wake()

    def resume(self) -> None:
        """Go on with the actor as it is, after its failure on a message."""
        if self.status is FAILED:
            self.status = RUNNING
            self._wake()

    def leave(self) -> None:
        """End after the message in hand, without one at once, and tell the parent when it is over."""
        if self.status is STARTING:
            self._leaves = True
        elif self.status is RUNNING:
            self.status = STOPPING
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
        if self.status is RUNNING and self._worker is None and self._annex is None:
            if self._actor is not None and type(self._actor).on_stop is not NO_STOP:
                return False
            self._exit = SHUTDOWN
            self._actor = None
            self.incarnation += 1
            self.status = STOPPED
            self._refuse_all()
        return self.status is STOPPED

    async def _stop(self, timeout: float, *, keeps: bool) -> None:
        annex = self.annex
        annex.keeps = keeps and (annex.ending is None or annex.keeps)
        self._leaves = False
        if annex.ending is None:
            if self.status is STOPPED:
                return
            if self.status is FAILED:
                self._actor = None
            else:
                self._exit = SHUTDOWN
            self.status = STOPPING
            if not self.is_at_work and annex.starter is None and not self._has_on_stop:
                self._actor = None
                self._finish()
                return
            work = self._end(self.host.loop.time() + timeout)
            annex.ending = self.host.scheduler.task(work, f"choragus:{self.path}:stop")
        await asyncio.shield(annex.ending)

    @property
    def _has_on_stop(self) -> bool:
        return self._actor is not None and type(self._actor).on_stop is not NO_STOP

    def _depart(self) -> None:
        self._leaves = False
        self._exit = NORMAL
        if self._has_on_stop:
            self.annex.ending = self.host.scheduler.task(self._bid_farewell(), f"choragus:{self.path}:stop")
        else:
            self._actor = None
            self._finish()
            self._ended()

    async def _bid_farewell(self) -> None:
        await self._end(self.host.loop.time() + FAREWELL)
        self._ended()

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
        for task in (self._worker, *self.annex.tasks):
            if task is not None:
                fence(task)
        for one in (delivery, *self.annex.tasks.values()):
            if one is not None:
                fail(one, ActorStopped(self.path))
        self.annex.tasks.clear()
        self._rest()

    def _finish(self) -> None:
        self.incarnation += 1
        annex = self._annex
        if annex is not None:
            annex.ending = None
            self._part()
        if annex is not None and annex.keeps:
            self.status = FAILED
            return
        self.status = STOPPED
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
        for delivery in annex.tasks.values():
            fail(delivery, ActorStopped(self.path))
        annex.tasks.clear()
        if annex.links:
            break_links(self, self._exit)
