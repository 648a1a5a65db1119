"""The durable actors of a system that are in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping

from choragus.mailbox.address import ActorId, key_of, type_of

from .durable import DurableActor
from .durable_cell import DurableCell
from .durable_life import DurableHost
from .region import Region

CELLS = 10_000
"""Durable actors that are kept in memory; beyond it idle ones are dropped, and loaded again when they get mail."""

Regions = Mapping[str, tuple[type[DurableActor[object, object]], Region]]
"""By the type's stored name: its class and who supervises it."""


class Population:
    """The cells by address, made when they are needed.

    Args:
        held: keys whose actors are not woken.
    """

    def __init__(self, host: DurableHost, regions: Regions, held: frozenset[str]) -> None:
        self._host = host
        self._regions = regions
        self._held = held
        self._cells: dict[ActorId, DurableCell] = {}
        self._closed = False
        self._full = 0  # with so many it is looked again for idle ones

    def __len__(self) -> int:
        return len(self._cells)

    def __iter__(self) -> Iterator[DurableCell]:
        return iter(tuple(self._cells.values()))

    def runs(self, id: ActorId) -> bool:
        """Whether this system runs the actor of that address."""
        return type_of(id) in self._regions and key_of(id) not in self._held

    def cell(self, id: ActorId) -> DurableCell | None:
        """The actor's cell; None when this system does not run it, or has begun to stop."""
        cell = self._cells.get(id)
        if cell is None and self.runs(id) and not self._closed:
            if len(self._cells) >= max(CELLS, self._full):
                self._drop_idle()
            cls, region = self._regions[type_of(id)]
            cell = self._cells[id] = DurableCell(self._host, region, id, cls)
        return cell

    def release(self, key: str) -> None:
        """Wake the actors of that key too from now on."""
        self._held -= {key}

    def hint(self, actors: Iterable[ActorId]) -> None:
        """These actors have mail on disk."""
        for id in actors:
            if (cell := self.cell(id)) is not None:
                cell.hint()

    def ended(self, id: ActorId) -> None:
        """Drop an actor that has ended, unless it still has mail to park."""
        if (cell := self._cells.get(id)) is not None and cell.is_idle:
            del self._cells[id]

    def done(self, id: ActorId) -> None:
        """Drop an actor that expects hardly anything any more, if it is idle; it is loaded again when it gets mail."""
        if (cell := self._cells.get(id)) is not None and cell.is_idle:
            del self._cells[id]
            cell.passivate()

    async def stop(self, timeout: float) -> None:
        """Every actor finishes its turn; no other comes to life."""
        self._closed = True
        cells = tuple(self._cells.values())
        await asyncio.gather(*(cell.stop(timeout) for cell in cells))
        for cell in cells:
            cell.passivate()

    def _drop_idle(self) -> None:
        """Drop those beyond nine tenths of the limit: idle ones that have done nothing since they were last looked at.

        When none is idle it is looked again when there are a tenth more.
        """
        wanted = len(self._cells) - CELLS + max(1, CELLS // 10)
        idle = 0
        for id, cell in tuple(self._cells.items()):
            if not wanted:
                break
            is_idle = cell.is_idle
            idle += is_idle
            if is_idle and not cell.is_lively:
                del self._cells[id]
                wanted -= 1
                cell.passivate()
            else:  # a second chance, behind all others
                cell.is_lively = False
                self._cells[id] = self._cells.pop(id)
        self._full = 0 if idle else len(self._cells) + max(1, len(self._cells) // 10)
