"""Which documents lie next to a vector: what is kept in memory of each collection, and kept up to date."""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from anyio import Lock, to_thread
from attrs import define, field

from choragus.mailbox.document import Collection
from choragus.mailbox.store import Store

from .embedder import Embedder, mark

PAGE = 5_000


class Vectors(Protocol):
    """See `similarity.Vectors`."""

    def __init__(self, mark: bytes, dimensions: int) -> None: ...

    def add(self, given: list[tuple[int, bytes]]) -> None: ...

    def nearest(self, wanted: bytes, limit: int) -> list[tuple[int, float]]: ...


@define
class _Kept:
    vectors: Vectors
    removed: int
    last: int = 0


def check_extra() -> None:
    """Raise ImportError, naming the remedy, when vectors cannot be compared here."""
    _similarity()


@define
class Nearness:
    """The vectors of the collections of a store that were asked for, each with its embedder's."""

    store: Store
    _kept: dict[tuple[str, bytes], _Kept] = field(factory=dict, init=False)
    _lock: Lock = field(factory=Lock, init=False)

    async def nearest(self, collection: str, embedder: Embedder, wanted: bytes, limit: int) -> list[tuple[int, float]]:
        """The numbers of the documents that are most alike, with their cosines, best first."""
        async with self._lock:  # two that read on would read the same
            kept = await self._up_to_date(collection, embedder)
        return await to_thread.run_sync(kept.vectors.nearest, wanted, limit)

    async def _up_to_date(self, collection: str, embedder: Embedder) -> _Kept:
        found = await self.store.collections(collection)
        stands = found[0] if found else Collection(name=collection)
        kept = self._kept.get((collection, mark(embedder)))
        if kept is None or kept.removed != stands.removed:
            made = _similarity()(mark(embedder), embedder.dimensions)
            kept = self._kept[collection, mark(embedder)] = _Kept(made, stands.removed)
        while kept.last < stands.last:
            page = await self.store.vectors(collection, kept.last, PAGE)
            kept.vectors.add(page)
            kept.last = page[-1][0] if page else stands.last
        return kept


def _similarity() -> type[Vectors]:
    try:
        module = import_module("choragus.agents.knowledge.similarity")
    except ImportError as error:
        raise ImportError(
            f"a library with an embedder needs numpy ({error}): pip install 'choragus[vector]'"
        ) from error
    kind: type[Vectors] = module.Vectors
    return kind
