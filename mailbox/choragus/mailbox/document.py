"""Documents: texts that a turn puts beside an actor's state, to be found by their words."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Document:
    """A text in a collection, replaced by (collection, id); `text` None deletes it.

    `fields` is a JSON object that the store keeps and does not read, `vector` are bytes of which it knows nothing
    either. `subject` says whose data it is, `at` how old. `number` is given by the store and orders: what replaces a
    document stands behind all that were there.
    """

    collection: str
    id: str
    text: str | None
    fields: bytes = b"{}"
    subject: str = ""
    at: float = 0.0
    vector: bytes = b""
    number: int = 0


@attrs.frozen(kw_only=True)
class Hit:
    """A document that was found, and how well it fits: the higher the score, the better."""

    document: Document
    score: float


@attrs.frozen(kw_only=True)
class Collection:
    """How a collection stands. `last` is the number of its newest document, `removed` counts what was ever taken away.

    A reader that keeps something of it in memory is up to date as long as both are as they were.
    """

    name: str
    documents: int = 0
    last: int = 0
    removed: int = 0
