"""What the tests of traces look at: the spans of a file, told at once or by tracers that begin anew, and as a tree."""

from __future__ import annotations

from collections.abc import Sequence

from choragus.agents.telemetry.content import Content
from choragus.agents.telemetry.convention import V1_41, Convention
from choragus.agents.telemetry.fact import Facts, SpanFact
from choragus.agents.telemetry.shelf import Shelf
from choragus.agents.tracer import whole_batches
from choragus.mailbox.store import Store


def samples(trace: int, agent: str) -> bool:
    """All of them."""
    return True


def shelf(store: Store, convention: Convention = V1_41, content: Content | None = None) -> Shelf:
    """The books of a file, none of them read."""
    return Shelf(store, convention, samples, content)


async def facts(store: Store, convention: Convention = V1_41, content: Content | None = None) -> Facts:
    """All that the file tells, read at once."""
    return await shelf(store, convention, content).take(await store.log(after=0, limit=100_000))


async def facts_in_lives(store: Store, page: int) -> Facts:
    """The same, told in pages, each by a tracer that knows nothing of those before."""
    all_of_them, after = Facts(), 0
    while entries := (await whole_batches(store, after, page))[0]:
        some = await shelf(store).take(entries)
        all_of_them.spans += some.spans
        all_of_them.points += some.points
        after = entries[-1].seq
    return all_of_them


def by_id(told: Facts) -> list[SpanFact]:
    """The spans of all runs in one order, for what runs do beside one another has none."""
    return sorted(told.spans, key=lambda span: span.at.span)


def tree(spans: Sequence[SpanFact]) -> list[str]:
    """The names of the spans, in the order of their beginnings, each below what it stands below."""
    by_parent: dict[int, list[SpanFact]] = {}
    known = {span.at.span for span in spans}
    for span in sorted(spans, key=lambda span: (span.started, span.ended)):
        above = span.parent.span if span.parent is not None and span.parent.span in known else 0
        by_parent.setdefault(above, []).append(span)

    def drawn(above: int, depth: int) -> list[str]:
        return [
            line
            for span in by_parent.get(above, ())
            for line in ("  " * depth + span.name, *drawn(span.at.span, depth + 1))
        ]

    return drawn(0, 0)


def named(spans: Sequence[SpanFact], name: str) -> list[SpanFact]:
    """Those of a name."""
    return [span for span in spans if span.name == name]
