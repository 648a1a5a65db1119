"""Runs effects: calls to the outside whose intent is on disk, outside any turn, each in a task of its own."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record, decode, encode
from choragus.mailbox.turn import Closure, Committed, Effect, EffectState, Envelope, OnInterrupt, Rejected

from .event import Events, Failed
from .message import EffectFailed, EffectUnknown
from .writer import Held, Writer

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

    def lease_is_fresh(self) -> bool: ...

    def deliver(self, envelope: Envelope) -> None: ...


class Effects:
    """The effects of one system."""

    def __init__(self, outside: Outside, runners: Mapping[str, Runner]) -> None:
        self._outside = outside
        self._runners = runners
        self._waiting: deque[Effect] = deque()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._kinds: dict[str, OnInterrupt] = {}
        self._closing = False

    def start(self, effect: Effect) -> None:
        """Run an effect that is on disk, as soon as there is room."""
        self._waiting.append(effect)
        self._next()

    def recover(self, effect: Effect) -> None:
        """Settle what was open when the file was last used: run again what may be, say unknown of the rest."""
        if effect.state is EffectState.HELD:
            self.start(effect)
        elif effect.on_interrupt is OnInterrupt.UNKNOWN:
            self._close(effect, EffectState.UNKNOWN, encode(EffectUnknown(effect.id)))
        elif effect.attempts > INTERRUPTIONS:
            reason = f"the process died {effect.attempts} times while it ran (the limit is {INTERRUPTIONS})"
            self._close(effect, EffectState.FAILED, encode(EffectFailed(effect.id, "Interrupted", reason)))
        else:
            self.start(effect)

    def cancel(self, effect: str) -> None:
        """Stop an effect whose row has been settled; its result, if it still comes, is dropped."""
        self._waiting = deque(one for one in self._waiting if one.id != effect)
        if effect in self._tasks:
            self._tasks[effect].cancel()

    async def close(self, timeout: float) -> None:
        """Hold what has not started, wait for what must not be interrupted, cancel the rest."""
        self._closing = True
        for effect in self._waiting:
            self._outside.writer.submit(Held(effect.id), lambda _: None)
        self._waiting.clear()
        for id, task in self._tasks.items():
            if self._kinds[id] is OnInterrupt.RERUN:
                task.cancel()
        if self._tasks:
            await asyncio.wait(set(self._tasks.values()), timeout=timeout)
        for task in self._tasks.values():
            task.cancel()

    def _next(self) -> None:
        while self._waiting and len(self._tasks) < PARALLEL and not self._closing:
            if not self._outside.lease_is_fresh():
                self._outside.loop.call_later(0.1, self._next)
                return
            effect = self._waiting.popleft()
            task = self._outside.loop.create_task(self._run(effect), name=f"choragus:{effect.id}")
            self._tasks[effect.id] = task
            self._kinds[effect.id] = effect.on_interrupt
            task.add_done_callback(lambda _, id=effect.id: self._ended(id))  # type: ignore[misc]  # mypy cannot see the default's type

    def _ended(self, effect: str) -> None:
        del self._tasks[effect]
        del self._kinds[effect]
        self._next()

    async def _run(self, effect: Effect) -> None:
        try:
            result = encode(await self._call(effect))
        except asyncio.CancelledError:
            raise
        except Exception as error:
            self._outside.events.publish(Failed(effect.actor, error, effect.runner))
            reason = str(error) or type(error).__name__
            self._close(effect, EffectState.FAILED, encode(EffectFailed(effect.id, type(error).__name__, reason)))
        else:
            self._close(effect, EffectState.DONE, result)

    async def _call(self, effect: Effect) -> object:
        runner = self._runners.get(effect.runner)
        if runner is None:
            raise LookupError(f"no runner named {effect.runner!r}: pass it in System(runners=...)")
        return await runner(decode(effect.record), EffectContext(effect.id, effect.actor, effect.attempts + 1))

    def _close(self, effect: Effect, state: EffectState, record: Record) -> None:
        envelope = Envelope(
            id=f"{effect.id}={effect.attempts}{state.value}",
            receiver=effect.actor,
            sender=effect.id,
            record=record,
            then=effect.then,
        )

        def done(result: Committed | Rejected) -> None:
            if isinstance(result, Committed) and effect.id not in result.dropped:
                self._outside.deliver(envelope)

        self._outside.writer.submit(Closure(effect=effect.id, state=state, envelope=envelope), done)
