"""Libraries and episodes as what is looked up for a context: values that an agent is declared with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from attrs import frozen

from choragus.agents.context.retrieval import Retrieved

from .episode import Episodes
from .shelf import Shelf


class Shelves(Protocol):
    """What a runtime keeps."""

    def shelf(self, name: str, namespace: str) -> Shelf:
        """One namespace of a library."""
        ...

    def episodes_of(self, agent: str) -> Episodes:
        """What the ended runs of an agent have left."""
        ...


@frozen
class FromLibrary:
    """Finds in one namespace of a library of the runtime; `Library.retriever` makes it."""

    library: str
    namespace: str

    @property
    def name(self) -> str:
        """As it stands in the logbook."""
        return f"library {self.namespace}/{self.library}"

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        """Only a runtime has the library; raises RuntimeError."""
        raise RuntimeError(f"{self.name} is looked into by a runtime, for an agent with Context(retrieve=...)")

    def bound(self, shelves: Shelves, agent: str) -> Shelf:
        """The same in a runtime."""
        return shelves.shelf(self.library, self.namespace)


@frozen
class FromEpisodes:
    """Finds what the ended runs of an agent have left, by default of the one that asks; see `Agent(episodes=True)`."""

    agent: str = ""

    @property
    def name(self) -> str:
        """As it stands in the logbook."""
        return f"episodes of {self.agent}" if self.agent else "episodes"

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        """Only a runtime has them; raises RuntimeError."""
        raise RuntimeError(f"{self.name} are looked into by a runtime, for an agent with Context(retrieve=...)")

    def bound(self, shelves: Shelves, agent: str) -> Episodes:
        """The same in a runtime."""
        return shelves.episodes_of(self.agent or agent)
