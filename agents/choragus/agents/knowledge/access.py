"""The libraries and episodes of a runtime in the hands of its host."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import choragus.agents.works as works
from choragus.agents.agent import Agent

from .namespace import OWN

if TYPE_CHECKING:
    from choragus.mailbox.store import Store
    from choragus.supervision.system import System

    from .biographer import Biographer
    from .declaration import Library
    from .episode import Episodes
    from .librarian import Librarian
    from .opening import Libraries
    from .shelf import Shelf


class Knowing:
    """What of a runtime opens libraries."""

    _libraries: Libraries | None = None

    def library(self, name: str, *, namespace: str = OWN) -> Shelf:
        """A library that texts are put into and found in; what is in one namespace is found from no other.

        Raises:
            ValueError: when one of the names is none: there are no patterns and no paths.
            RuntimeError: when the runtime was not opened.
        """
        return self._opened.shelf(name, namespace)

    def episodes(self, agent: Agent | str) -> Episodes:
        """What the ended runs of an agent have left, if it keeps episodes.

        Raises:
            RuntimeError: when the runtime was not opened.
        """
        return self._opened.episodes_of(agent.name if isinstance(agent, Agent) else agent)

    @property
    def _opened(self) -> Libraries:
        if self._libraries is None:
            raise RuntimeError("this Runtime is not open: use it as `async with Runtime(...) as runtime:`")
        return self._libraries


def keepers() -> tuple[type[Librarian], type[Biographer]]:
    """The actors that hold documents."""
    return (works.Librarian, works.Biographer)


def libraries_of(
    declared: Mapping[str, Library],
    episodes: Library | bool,
    store: Store,
    now: Callable[[], float],
    system: Callable[[], System],
) -> Libraries:
    """The libraries of a runtime over that store; the system is there once they are used."""
    return works.Libraries(
        declared,
        store,
        now,
        lambda key: system().ref(works.Librarian, key),
        lambda agent: system().ref(works.Biographer, agent),
        works.Library("episodes") if episodes is True else episodes or None,
    )
