"""Steps of a handler: calls to the outside inside a turn, each of which is known to have begun, and to have ended."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import decode, encode
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Committed, OnInterrupt, Step

from .errors import CutOff, StepUnknown
from .writer import Writer

PATIENCE = 0.1
"""Seconds between two looks whether the lease has been renewed."""

T = TypeVar("T")


class StepHost(Protocol):
    """What steps need from the kernel."""

    store: Store
    writer: Writer

    def lease_is_fresh(self) -> bool:
        """Whether less than half of the lease has passed."""
        ...


class Running(Protocol):
    """The handler call whose steps they are."""

    @property
    def is_over(self) -> bool:
        """Whether whatever still comes of it is refused."""
        ...

    async def committed(self) -> None:
        """Wait until all that its turn stands upon is on disk."""
        ...


class Steps:
    """The steps that one handler call takes for its message."""

    def __init__(self, host: StepHost, running: Running, actor: ActorId, message: str) -> None:
        self._host = host
        self._running = running
        self._actor = actor
        self._message = message
        self._known: dict[tuple[str, int], Step] | None = None
        self._counts: dict[str, int] = {}

    async def take(self, name: str, call: Callable[[], Awaitable[T] | T], on_interrupt: OnInterrupt) -> T:
        """What the call gives, or gave when the step was finished before."""
        number = self._counts[name] = self._counts.get(name, 0) + 1
        await self._running.committed()
        if self._known is None:
            found = await self._host.store.steps(self._actor, self._message)
            self._known = {(step.name, step.number): step for step in found}
        step = self._known.get((name, number))
        if step is None:
            step = Step(actor=self._actor, message=self._message, name=name, number=number)
            await self._write(step)
        elif step.result is not None:
            return decode(step.result)  # type: ignore[return-value]  # of the call's own type
        elif on_interrupt is OnInterrupt.UNKNOWN:
            raise StepUnknown(self._actor, name)
        while not self._host.lease_is_fresh():  # noqa: ASYNC110  # the lease tells nobody
            await asyncio.sleep(PATIENCE)
        self._check()
        result = call()
        record = encode(await result if inspect.isawaitable(result) else result)
        await self._write(attrs.evolve(step, result=record))
        return decode(record)  # type: ignore[return-value]  # of the call's own type

    async def _write(self, step: Step) -> None:
        self._check()
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def done(_: Committed) -> None:
            if not written.done():
                written.set_result(None)

        self._host.writer.submit(step, done)
        await written
        assert self._known is not None  # it was read first
        self._known[step.name, step.number] = step

    def _check(self) -> None:
        if self._running.is_over:
            raise CutOff(self._actor)
