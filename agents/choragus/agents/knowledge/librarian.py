"""The actor of one library: what it holds changes in its turns only, rows, index and vectors together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import ClassVar, Generic, Protocol, TypeVar

from choragus.actors.actor import M
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.mailbox.document import Document

from .declaration import collection_of
from .found import Fields, fields_of, part_id, whole_id
from .message import LIBRARIAN, ForgetTexts, Forgotten, LibraryState, PutTexts, SweepLibrary, Text
from .opening import Libraries

ALL = 2**62
"""More than there can be."""

SETTLES = 1.0
"""Seconds after which a library that holds too much is swept: once for all that was put meanwhile."""


class Runtime(Protocol):
    """What of the runtime counts here."""

    @property
    def libraries(self) -> Libraries | None: ...


S = TypeVar("S", bound=LibraryState)


class Keeping(DurableActor[S, M], Generic[S, M]):
    """What all that hold documents have in common."""

    turn_timeout: ClassVar[float] = 600.0
    """A subject may have very much that is to be found and deleted in one turn."""

    @property
    def stream(self) -> str:
        """The logbook of the library."""
        return self.collection

    @property
    def collection(self) -> str:
        """Where its documents are."""
        return collection_of(self.key)

    @property
    def around(self) -> Libraries:
        """The libraries of the runtime, and its store."""
        runtime: Runtime = self.resources  # type: ignore[assignment]  # whatever has librarians has this
        assert runtime.libraries is not None
        return runtime.libraries

    def put_parts(self, text: Text, before: int = 0, facts: dict[str, object] | None = None) -> None:
        """Put the parts of a document, and delete those of the one before it that are more."""
        kept = Fields(
            facts=facts or {},
            source=text.source,
            run=text.run,
            call=text.call,
            sha256=text.sha256,
            labels=text.labels,
            chunks=len(text.chunks),
        ).encoded()
        for number, part in enumerate(text.chunks, start=1):
            self.document(
                Document(
                    collection=self.collection,
                    id=part_id(text.id, number),
                    text=part,
                    fields=kept,
                    subject=text.subject,
                    at=self.now if text.at is None else text.at,
                    vector=text.vectors[number - 1] if text.vectors else b"",
                )
            )
        self.delete(part_id(text.id, number) for number in range(len(text.chunks) + 1, before + 1))

    def delete(self, parts: Iterable[str]) -> None:
        """Delete parts."""
        for part in parts:
            self.document(Document(collection=self.collection, id=part, text=None))

    def plan_sweep(self, added: int) -> None:
        """See to it that what is too old or too much goes."""
        state, declared = self.state, self.around.declared(self.id)
        state.since += added
        every = 0.0 if declared.keep_seconds is None else max(1.0, min(declared.keep_seconds / 4, 3600.0))
        if every != state.every:
            state.every = every
            if every:
                self.ticker("sweep", SweepLibrary(), every=every)
            else:
                self.cancel_timer("sweep")
        most = declared.most_documents
        if most is not None and state.documents + state.since > most and not state.settling:
            state.settling = True
            self.timer("settle", SweepLibrary(), after=SETTLES)

    async def forget_parts(self, subject: str, id: str) -> Forgotten:
        """Delete all of a subject, or a document, and write the index anew."""
        await self.committed()
        if id:
            parts = [part_id(id, number) for number in range(1, await self._parts_of(id) + 1)]
        else:
            parts = await self.around.store.document_ids(self.collection, subject=subject, limit=ALL)
        gone = Forgotten(documents=len({whole_id(part) for part in parts}), chunks=len(parts))
        if parts:
            self.delete(parts)
            self.scrub(self.collection)
            whose = {"subject": sha256(subject.encode()).hexdigest()[:16]} if subject else {"id": id}
            self.log("library.forgotten", **whose, documents=gone.documents, chunks=gone.chunks)
        return gone

    async def sweep_parts(self) -> None:
        """Delete what is too old, and of what is then too much the oldest."""
        declared, store = self.around.declared(self.id), self.around.store
        self.state.settling = False
        self.cancel_timer("settle")
        if declared.keep_seconds is None and declared.most_documents is None:
            return
        await self.committed()
        old: Sequence[str] = ()
        if declared.keep_seconds is not None:
            old = await store.document_ids(self.collection, before=self.now - declared.keep_seconds, limit=ALL)
        if declared.most_documents is not None:
            parts = await store.document_ids(self.collection, limit=ALL)
            counts = Counter(map(whole_id, parts))
            over = frozenset(list(counts)[: max(0, len(counts) - declared.most_documents)])
            self.state.documents, self.state.since = len(counts) - len(over), 0
            old = [*dict.fromkeys([*old, *(part for part in parts if whole_id(part) in over)])]
        if old:
            self.delete(old)
            self.log("library.swept", documents=len({whole_id(part) for part in old}), chunks=len(old))

    async def _parts_of(self, id: str) -> int:
        first = await self.around.store.document(self.collection, part_id(id, 1))
        return 0 if first is None else fields_of(first).chunks


class Librarian(Keeping[LibraryState, PutTexts | ForgetTexts | SweepLibrary], name=LIBRARIAN):
    """Keeps one library; its key is namespace and name."""

    @handle
    async def put(self, message: PutTexts) -> int:
        """Put documents."""
        if any(text.replaces for text in message.texts):
            await self.committed()
        for text in message.texts:
            self.put_parts(text, await self._parts_of(text.id) if text.replaces else 0)
        texts = message.texts
        first = texts[0] if texts else Text(id="", chunks=())
        self.log(
            "library.put",
            documents=len(texts),
            chunks=sum(len(text.chunks) for text in texts),
            run=first.run,
            call=first.call,
        )
        self.plan_sweep(len(texts))
        return len(texts)

    @handle
    async def forget(self, message: ForgetTexts) -> Forgotten:
        """Delete one subject's data."""
        return await self.forget_parts(message.subject, message.id)

    @handle
    async def sweep(self, message: SweepLibrary) -> None:
        """See `Library.keep_seconds` and `Library.most_documents`."""
        await self.sweep_parts()
