"""Asking a retriever, which is an effect: what it found, within its limits, or why it found nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from attrs import evolve

from choragus.actors.effect import EffectContext
from choragus.agents.model import CHARACTERS_PER_TOKEN
from choragus.agents.patience import TookTooLong, told, within
from choragus.agents.service import Services
from choragus.agents.storable import storable

from .errand import CallRetrieve, RetrieveDone
from .retrieval import Bound, Retrieval, Retrieved

PATIENCE = 30.0
"""Seconds that a retriever has; then the step goes on without it."""

LONGEST_ERROR = 1_000
"""Characters of a retriever's error that the logbook keeps."""


class Looking:
    """Runs CallRetrieve effects."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def call(self, request: object, context: EffectContext) -> object:
        """Ask the retriever. What it raises is a result: a run goes on without what could not be looked up."""
        assert isinstance(request, CallRetrieve)
        of = self._services.agent(request.agent).context
        if of is None or request.index >= len(of.retrieve):
            return RetrieveDone(error=f"agent {request.agent!r} has no such retriever any more")
        retrieval = of.retrieve[request.index]
        retriever, libraries = retrieval.retriever, self._services.libraries
        finder = retriever.bound(libraries, request.agent) if isinstance(retriever, Bound) and libraries else retriever
        try:
            asked = finder.retrieve(request.query, run=request.run, agent=request.agent, limit=retrieval.limit)
            found = await within(PATIENCE, asked)
        except TookTooLong:
            return RetrieveDone(error=f"it did not answer within {PATIENCE:g} s")
        except Exception as error:  # it is the user's code, and a run goes on without it
            return RetrieveDone(error=self._short(told(error)))
        if not isinstance(found, list | tuple) or not all(isinstance(each, Retrieved) for each in found):
            return RetrieveDone(error=self._short(f"it gave back {found!r}, and not a list of Retrieved"))
        return RetrieveDone(items=tuple(_within(retrieval, [self._clean(each) for each in found[: retrieval.limit]])))

    def _short(self, said: str) -> str:
        return self._scrubbed(storable(said))[:LONGEST_ERROR]

    def _clean(self, item: Retrieved) -> Retrieved:
        """The same without secrets, as what tools give back."""
        return evolve(item, text=self._scrubbed(item.text), source=self._scrubbed(item.source))

    def _scrubbed(self, text: str) -> str:
        return self._services.toolbelt.vault.scrubbed(text)


def _within(retrieval: Retrieval, found: Sequence[Retrieved]) -> Iterator[Retrieved]:
    """The best that fit."""
    room = retrieval.most_tokens * CHARACTERS_PER_TOKEN
    for item in found:
        took = len(item.text) + len(item.source) + FRAME
        if took <= room:
            room -= took
            yield item


FRAME = 64
"""Characters that stand around each text."""
