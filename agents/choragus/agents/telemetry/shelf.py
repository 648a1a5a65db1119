"""The books of the runs that are exported, read again from the file when they are not in memory.

After a crash, or when a run goes on after days, its book is rebuilt from its logbook up to the entry in hand; what that
comes to was told before.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable

from choragus.agents.stream import conversation_stream, run_stream
from choragus.mailbox.store import Store
from choragus.mailbox.turn import LogEntry

from .book import Book
from .content import Content
from .convention import Convention
from .descent import beginning
from .fact import Facts, text
from .identity import SpanRef, parsed, span_of, trace_of
from .trail import Origin, link

KEPT = 1_000
"""Books in memory; those that were not needed for longest go first."""

PAGE = 500

Sampling = Callable[[int, str], bool]
"""Whether a trace of its own is exported, by its id and the name of its agent."""


class Shelf:
    """The books of one file.

    Args:
        samples: decides about the traces that begin here.
        content: takes what is said; None: that is not told.
    """

    def __init__(self, store: Store, convention: Convention, samples: Sampling, content: Content | None) -> None:
        self._store = store
        self._convention = convention
        self._samples = samples
        self._content = content
        self._books: OrderedDict[str, Book] = OrderedDict()

    async def take(self, entries: Iterable[LogEntry]) -> Facts:
        """What these entries come to; whole batches, in the order of the file."""
        facts, moved = Facts(), dict[str, Book]()
        for entry in entries:
            above, _, run = entry.stream.partition("/")
            if above == "run":
                book = moved[run] = self._books.get(run) or await self._read(run, entry.seq)
                book.take(entry, facts)
            elif above == "conversation" and self._content is not None:
                book = self._books.get(run) or await self._read(run, entry.seq)
                book.hear(entry)
        for run, book in moved.items():
            book.settle(facts)
            if run in self._books:
                self._books.move_to_end(run)
        while len(self._books) > KEPT:
            self._books.popitem(last=False)
        facts.spans = [span for span in facts.spans if span.at.sampled]
        return facts

    async def _read(self, run: str, before: int) -> Book:
        """The book of a run as it stands before an entry of the file, with that of the run above it."""
        origin = await self._origin(run)
        book = Book(run, origin, self._convention, self._content)
        told = Facts()
        if self._content is not None:
            async for entry in self._before(conversation_stream(run), before):
                book.hear(entry)
        async for entry in self._before(run_stream(run), before):
            book.take(entry, told)
            told = Facts()
        book.settle(told)
        self._books[run] = book
        return book

    async def _before(self, stream: str, seq: int) -> AsyncIterator[LogEntry]:
        after = 0
        while entries := await self._store.read(stream, after, PAGE):
            for entry in entries:
                if entry.seq >= seq:
                    return
                yield entry
            after = entries[-1].position

    async def _origin(self, run: str) -> Origin:
        """Where a run comes from, by its first entries; of one that has none left, a trace of its own."""
        started, forked, seq = await beginning(self._store, run)
        if started is None:
            return Origin(trace=trace_of(run))
        if above := text(started, "parent"):
            book = self._books.get(above) or await self._read(above, seq)
            at = book.children.get(run, book.root)
            return Origin(trace=at.trace, parent=at, sampled=at.sampled)
        before = ((forked, "forks"), (text(started, "follows"), "follows"))
        links = tuple([link(await self._root(one), why) for one, why in before if one])
        host = parsed(text(started, "trace"))
        if host is not None:
            return Origin(trace=host.trace, parent=host, links=links, sampled=host.sampled)
        trace = trace_of(run)
        return Origin(trace=trace, links=links, sampled=self._samples(trace, text(started, "agent")))

    async def _root(self, run: str) -> SpanRef:
        """The first span of another run."""
        book = self._books.get(run)
        origin = await self._origin(run) if book is None else book.origin
        return SpanRef(origin.trace, span_of(run), origin.sampled)
