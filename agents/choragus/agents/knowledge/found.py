"""What is found, and how two rankings become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
from attrs import field, frozen

from choragus.mailbox.document import Document

FUSION = 60
"""How little the first places count for more than those behind them, as in Cormack's reciprocal rank fusion."""


@frozen(kw_only=True)
class Provenance:
    """Where a text comes from. `at` is when it was put, in seconds since the epoch; `run` and `call` who did so."""

    source: str = ""
    run: str = ""
    call: str = ""
    at: float = 0.0
    sha256: str = ""


@frozen(kw_only=True)
class Found:
    """A part of a document that fits a query.

    `score` orders the parts that one search has found, and says nothing beside that. `parts` are the scores that it is
    made of, as far as each way has found it: `words` (BM25) and `vectors` (cosine). `labels` say whose word it is.
    """

    id: str
    text: str
    score: float
    labels: tuple[str, ...]
    provenance: Provenance
    subject: str = ""
    chunk: int = 1
    chunks: int = 1
    parts: Mapping[str, float] = field(factory=dict)


class Fields(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the store keeps with each part of a document."""

    source: str = ""
    run: str = ""
    call: str = ""
    sha256: str = ""
    labels: tuple[str, ...] = ()
    chunks: int = 1
    facts: dict[str, object] = {}

    def encoded(self) -> bytes:
        """As the store keeps them."""
        return msgspec.json.encode(self)


def fields_of(document: Document) -> Fields:
    """What was kept with a part."""
    return msgspec.json.decode(document.fields, type=Fields)


def part_id(id: str, chunk: int) -> str:
    """The store's id of a part, counted from 1."""
    return f"{id}#{chunk}"


def whole_id(part: str) -> str:
    """The document that a part belongs to.

    >>> whole_id("a#b#12")
    'a#b'
    """
    return part.rpartition("#")[0]


def found_in(document: Document, score: float, parts: Mapping[str, float]) -> Found:
    """The part as it is given to whoever has searched."""
    kept, (id, _, chunk) = fields_of(document), document.id.rpartition("#")
    return Found(
        id=id,
        text=document.text or "",
        score=score,
        labels=kept.labels,
        provenance=provenance(kept, document.at),
        subject=document.subject,
        chunk=int(chunk),
        chunks=kept.chunks,
        parts=parts,
    )


def provenance(kept: Fields, at: float) -> Provenance:
    """Where a part comes from."""
    return Provenance(source=kept.source, run=kept.run, call=kept.call, at=at, sha256=kept.sha256)


def fused(rankings: Sequence[Sequence[int]]) -> list[tuple[int, float]]:
    """The numbers of several rankings in one, with their scores: the sum of 1 / (60 + place). Of equals the smaller.

    >>> [number for number, _ in fused([[1, 2, 3], [3, 9, 1]])]
    [1, 3, 2, 9]
    """
    scores: dict[int, float] = {}
    for ranking in rankings:
        for place, number in enumerate(ranking, start=1):
            scores[number] = scores.get(number, 0.0) + 1 / (FUSION + place)
    return sorted(scores.items(), key=lambda one: (-one[1], one[0]))
