"""Where in a text something stands that must not be shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Span(NamedTuple):
    """`text[start:end]` is of this kind."""

    start: int
    end: int
    kind: str


def merged(spans: Iterable[Span]) -> list[Span]:
    """In order, and what overlaps as one, of the kind that begins first.

    >>> merged([Span(4, 9, "card"), Span(0, 6, "iban")])
    [Span(start=0, end=9, kind='iban')]
    """
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.start, -one.end)):
        if found and span.start < found[-1].end:
            found[-1] = found[-1]._replace(end=max(found[-1].end, span.end))
        else:
            found.append(span)
    return found
