"""The libraries of one runtime: which there are, and how each is reached."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import define, field

from choragus.actors.ref import Ref
from choragus.mailbox.address import ActorId, key_of, type_of
from choragus.mailbox.store import Store

from .declaration import Library, collection_of, library_key
from .episode import Episodes
from .message import EPISODES, ForgetTexts, PutTexts
from .namespace import OWN
from .nearness import Nearness, check_extra
from .shelf import Shelf

Reach = Callable[[str], Ref[PutTexts | ForgetTexts]]
"""Gives the actor of a library by its key."""


@define
class Libraries:
    """What a runtime was given as `libraries=`; one that was not declared keeps everything, for good."""

    declared_ones: Mapping[str, Library]
    store: Store
    now: Callable[[], float]
    reach: Reach
    reach_episodes: Reach
    episodes: Library | None = None
    """How those of all agents are kept; None: only some agents keep them, and for good."""
    nearness: Nearness = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.nearness = Nearness(self.store)
        if any(library.embedder is not None for library in self.declared_ones.values()):
            check_extra()

    def episodes_of(self, agent: str) -> Episodes:
        """What the ended runs of an agent have left."""
        return Episodes(agent, self.store, lambda: self.reach_episodes(agent))

    def declared(self, actor: ActorId) -> Library:
        """What was said of the library that this actor keeps."""
        if type_of(actor) == EPISODES:
            return self.episodes or Library("episodes")
        return self.named(key_of(actor).rpartition("/")[2])

    def named(self, name: str) -> Library:
        """The library of that name."""
        return self.declared_ones.get(name) or Library(name)

    def shelf(self, name: str, namespace: str = OWN) -> Shelf:
        """One namespace of a library.

        Raises:
            ValueError: when one of the names is none.
        """
        key = library_key(name, namespace)
        return Shelf(
            terms=self.named(name),
            collection=collection_of(key),
            store=self.store,
            ref=lambda: self.reach(key),
            nearness=self.nearness,
            now=self.now,
        )
