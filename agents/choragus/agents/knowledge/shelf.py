"""A library in the hands of its host: put, find, forget, export."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from math import inf
from typing import Protocol

import attrs
from attrs import field, frozen

from choragus.actors.ref import Ref
from choragus.agents.context.retrieval import Retrieved
from choragus.mailbox.store import Store

from .embedder import Embedder, embedded
from .found import Found, found_in, fused
from .message import ForgetTexts, Forgotten, PutTexts, Text
from .nearness import Nearness
from .text import PAGE, check_names, from_record, made, records

LONGEST_QUERY = 20_000
"""Characters of a query that are looked at."""

FURTHER = 50
"""How far down each of two rankings is looked, at least, before they become one."""

LONGEST_TURN = 600.0
"""Seconds that a library may take to answer."""


class Terms(Protocol):
    """What of a Library counts here."""

    @property
    def name(self) -> str: ...
    @property
    def keep_seconds(self) -> float | None: ...
    @property
    def embedder(self) -> Embedder | None: ...
    @property
    def chunk(self) -> int: ...


@frozen(kw_only=True)
class Shelf:
    """One namespace of a library, from `runtime.library(name, namespace=...)`. It reaches no other."""

    terms: Terms
    collection: str
    _store: Store = field(repr=False)
    _ref: Callable[[], Ref[PutTexts | ForgetTexts]] = field(repr=False)
    _nearness: Nearness = field(repr=False)
    _now: Callable[[], float] = field(repr=False)

    async def add(
        self,
        text: str,
        *,
        id: str = "",
        source: str = "",
        labels: Iterable[str] | None = None,
        subject: str = "",
        run: str = "",
        call: str = "",
    ) -> str:
        """Put a text, and give its id back; it is on disk then, and found.

        Args:
            id: replaces the document of that id. Without one it follows from the text and what is said of it, so that
                the same put twice is there once.
            source: where it comes from: a URL, the name of a file.
            labels: whose word it is: "user", "developer", "runtime", "tool NAME" or "untrusted NAME". By default it is
                untrusted.
            subject: whose data it is, for `forget`.
            run, call: who put it.

        Raises:
            ValueError: when something of it cannot be kept.
        """
        one = made(
            text, most=self.terms.chunk, id=id, source=source, labels=labels, subject=subject, run=run, call=call
        )
        await self._put([one])
        return one.id

    async def search(self, query: str, limit: int = 10) -> list[Found]:
        """The parts of texts that fit the query best, best first.

        With an embedder, two rankings are made one: by words (BM25) and by vectors (cosine). A query is words, whatever
        it holds: nothing in it is syntax.

        Raises:
            ValueError: when the query is no text, or the limit is below 1.
            ImportError: when there is an embedder, and no numpy.
        """
        if not isinstance(query, str):
            raise ValueError(f"query={query!r:.80} is no text: give a str")
        if type(limit) is not int or limit < 1:
            raise ValueError(f"limit={limit!r}: give a whole number above 0")
        asked = query[:LONGEST_QUERY]
        if self.terms.embedder is None:
            hits = await self._store.search(self.collection, asked, limit)
            found = [found_in(hit.document, hit.score, {"words": hit.score}) for hit in hits]
        else:
            found = await self._search_both(asked, limit, self.terms.embedder)
        return [one for one in found if one.provenance.at >= self._since]

    async def retrieve(self, query: str, *, run: str = "", agent: str = "", limit: int = 5) -> list[Retrieved]:
        """The same for the context of a run."""
        found = await self.search(query, limit)
        return [Retrieved(one.text, one.provenance.source or one.id, one.score, one.labels) for one in found]

    async def forget(self, *, subject: str = "", id: str = "") -> Forgotten:
        """Delete all data of a subject, or one document, and say how much that was; all of it in one transaction.

        Texts, parts and vectors are gone, and the index is written anew without their words. The library's logbook
        keeps that it was done, and a hash of the subject. What a run has said of it stands in that run until it is
        pruned; `choragus compact` overwrites what SQLite has left of it in pages that are free.

        Raises:
            ValueError: unless one of both is given.
        """
        if bool(subject) == bool(id):
            raise ValueError(f"forget(subject={subject!r}, id={id!r}): give one of both")
        check_names(subject=subject, id=id)
        return await self._ref().ask(ForgetTexts(subject=subject, id=id), timeout=LONGEST_TURN)

    async def export(self) -> AsyncIterator[dict[str, object]]:
        """Every document as a record of JSON types, in the order in which they were put; see `restore`.

        Raises:
            CorruptRecord: when one is not what was written.
        """
        async for record in records(self._store, self.collection):
            yield record

    async def restore(self, records: Iterable[Mapping[str, object]]) -> int:
        """Put what was exported, under the same ids, and give how many there were; vectors are made anew.

        Raises:
            ValueError: when one is no such record; those before it may be there.
        """
        texts: list[Text] = []
        total = 0
        for record in records:
            texts.append(from_record(record, self.terms.chunk))
            total += 1
            if len(texts) == PAGE:
                await self._put(texts)
                texts.clear()
        if texts:
            await self._put(texts)
        return total

    @property
    def _since(self) -> float:
        keep = self.terms.keep_seconds
        return -inf if keep is None else self._now() - keep

    async def _put(self, texts: Sequence[Text]) -> None:
        embedder = self.terms.embedder
        if embedder is not None:
            vectors = iter(await embedded(embedder, [part for text in texts for part in text.chunks]))
            texts = [attrs.evolve(text, vectors=tuple(next(vectors) for _ in text.chunks)) for text in texts]
        await self._ref().ask(PutTexts(tuple(texts)), timeout=LONGEST_TURN)

    async def _search_both(self, query: str, limit: int, embedder: Embedder) -> list[Found]:
        further = max(limit, FURTHER)
        hits = await self._store.search(self.collection, query, further)
        words = {hit.document.number: hit.score for hit in hits}
        (wanted,) = await embedded(embedder, [query])
        near = dict(await self._nearness.nearest(self.collection, embedder, wanted, further))
        scores = dict(fused([list(words), list(near)])[:limit])
        found = await self._store.picked(list(scores))
        return [
            found_in(
                document,
                scores[document.number],
                {
                    way: ranking[document.number]
                    for way, ranking in (("words", words), ("vectors", near))
                    if document.number in ranking
                },
            )
            for document in found
        ]
