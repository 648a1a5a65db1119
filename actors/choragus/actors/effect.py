"""Runs effects: calls to the outside whose intent is on disk, outside any turn, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Protocol

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record, decode, encode
from choragus.mailbox.turn import Closure, Effect, EffectState, Envelope, OnInterrupt

from . import fault
from .abandon import abandon
from .courier import Courier
from .event import Events, Failed, Zombie
from .item import Held
from .message import EffectFailed, EffectUnknown
from .reason import reason
from .status import GRACE
from .writer import Writer

PARALLEL = 256
"""Effects that run at the same time; the others wait in order."""

INTERRUPTIONS = 20
"""How often an effect that reruns may be interrupted by the process's death before it counts as failed."""


@attrs.frozen
class EffectContext:
    """Which effect runs: `id` is stable over retries and restarts, `attempt` counts from 1."""

    id: str
    actor: ActorId
    attempt: int


Runner = Callable[[object, EffectContext], Awaitable[object]]
"""Does the call that a request describes; its result is stored and delivered."""


class Outside(Protocol):
    """What the runner of effects needs from the kernel."""

    loop: asyncio.AbstractEventLoop
    events: Events
    writer: Writer
    courier: Courier
    stopped: bool

    def fail(self, error: BaseException) -> None: ...

    def lease_is_fresh(self) -> bool: ...


class Running:
    """An effect in its task; `is_cancelled` tells a cancellation of ours from one that the runner raised itself.

    `is_wanted`: no turn has settled it.
    """

    def __init__(self, effect: Effect, task: asyncio.Task[None]) -> None:
        self.effect = effect
        self.task = task
        self.is_cancelled = False
        self.is_wanted = True

    def cancel(self) -> None:
        """Ask it to end."""
        self.is_cancelled = True
        self.task.cancel()


class Effects:
    """The effects of one system."""

    def __init__(self, outside: Outside, runners: Mapping[str, Runner]) -> None:
        self._outside = outside
        self._runners = runners
        self._waiting: deque[Effect] = deque()
        self._running: dict[str, Running] = {}
        self._retry: asyncio.TimerHandle | None = None
        self._closing = False

    def start(self, effect: Effect) -> None:
        """Run an effect that is on disk, as soon as there is room."""
        if self._closing:
            self._outside.writer.submit(Held(effect.id), lambda _: None)
            return
        self._waiting.append(effect)
        self._next()

    def recover(self, effect: Effect) -> None:
        """Settle an effect that was open when the file was last used: run it again if it may be, else say unknown."""
        if effect.on_interrupt is OnInterrupt.UNKNOWN:
            self._close(effect, EffectState.UNKNOWN, encode(EffectUnknown(effect.id)))
        elif effect.attempts > INTERRUPTIONS:
            why = f"the process died {effect.attempts} times while it ran (the limit is {INTERRUPTIONS})"
            self._close(effect, EffectState.FAILED, encode(EffectFailed(effect.id, "Interrupted", why)))
        else:
            self.start(effect)

    def cancel(self, effect: str) -> None:
        """Stop an effect whose row has been settled; its result, if it still comes, is dropped."""
        self._waiting = deque(one for one in self._waiting if one.id != effect)
        if (running := self._running.get(effect)) is not None:
            running.cancel()

    def not_wanted(self, effects: Iterable[tuple[str, EffectState]]) -> None:
        """A turn on its way to the disk settles these: whether a result comes too late only the disk can tell."""
        for effect, _ in effects:
            if (running := self._running.get(effect)) is not None:
                running.is_wanted = False

    async def close(self, timeout: float) -> None:
        """Hold what has not started, wait for what must not be interrupted, cancel the rest."""
        self._closing = True
        if self._retry is not None:
            self._retry.cancel()
        for effect in self._waiting:
            self._outside.writer.submit(Held(effect.id), lambda _: None)
        self._waiting.clear()
        for running in self._running.values():
            if running.effect.on_interrupt is OnInterrupt.RERUN:
                running.cancel()
        await self._ended(timeout)
        for running in self._running.values():
            running.cancel()
        await self._ended(GRACE)
        for running in self._running.values():
            self._outside.events.publish(Zombie(running.effect.actor, running.effect.runner))
        abandon(running.task for running in self._running.values())

    async def _ended(self, timeout: float) -> None:
        if self._running:
            await asyncio.wait({running.task for running in self._running.values()}, timeout=timeout)

    def _try_again(self) -> None:
        self._retry = None
        self._next()

    def _next(self) -> None:
        while self._waiting and len(self._running) < PARALLEL and not self._closing:
            if not self._outside.lease_is_fresh():
                self._retry = self._retry or self._outside.loop.call_later(0.1, self._try_again)
                return
            effect = self._waiting.popleft()
            task = self._outside.loop.create_task(self._run(effect), name=f"choragus:{effect.id}")
            self._running[effect.id] = Running(effect, task)
            task.add_done_callback(partial(self._done, effect.id))

    def _done(self, effect: str, task: asyncio.Task[None]) -> None:
        del self._running[effect]
        if not task.cancelled() and (error := task.exception()) is not None:
            self._outside.fail(error)
        self._next()

    async def _run(self, effect: Effect) -> None:
        try:
            if fault.hook is not None:
                await fault.hook("before effect", effect)
            result = encode(await self._call(effect))
        except asyncio.CancelledError as error:
            if self._running[effect.id].is_cancelled or self._outside.stopped:
                raise
            self._failed(effect, error)
        except (SystemExit, KeyboardInterrupt, fault.Crashed):
            raise
        except BaseException as error:  # an exception group of asyncio's may be no Exception; the system goes on
            self._failed(effect, error)
        else:
            self._close(effect, EffectState.DONE, result)

    async def _call(self, effect: Effect) -> object:
        runner = self._runners.get(effect.runner)
        if runner is None:
            raise LookupError(f"no runner named {effect.runner!r}: pass it in System(runners=...)")
        return await runner(decode(effect.record), EffectContext(effect.id, effect.actor, effect.attempts + 1))

    def _failed(self, effect: Effect, error: BaseException) -> None:
        self._outside.events.publish(Failed(effect.actor, error, effect.runner))
        failed = EffectFailed(effect.id, type(error).__name__, reason(error))
        self._close(effect, EffectState.FAILED, encode(failed))

    def _close(self, effect: Effect, state: EffectState, record: Record) -> None:
        envelope = Envelope(
            id=f"{effect.id}={effect.attempts}{state.value}",
            receiver=effect.actor,
            sender=effect.id,
            record=record,
            then=effect.then,
        )
        running = self._running.get(effect.id)
        barred = running is not None and not running.is_wanted
        self._outside.courier.close(Closure(effect=effect.id, state=state, envelope=envelope), barred=barred)
