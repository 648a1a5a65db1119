"""A plan as it stands on disk. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec
from attrs import frozen

from choragus.agents.stream import plan_stream
from choragus.mailbox.store import Store

from .book import Book, Fields, Revision, StepStatus

PAGE = 500

Entry: TypeAlias = tuple[str, Fields]
"""The kind of an entry of a plan's stream, and its fields."""


@frozen(kw_only=True)
class RunPlan:
    """The plan of a run: its steps in their order, and its revisions, the plan itself being the first."""

    steps: tuple[StepStatus, ...]
    revisions: tuple[Revision, ...]

    def step(self, id: str) -> StepStatus:
        """The step of that id.

        Raises:
            LookupError: when the plan has none.
        """
        for one in self.steps:
            if one.step.id == id:
                return one
        raise LookupError(f"the plan has no step {id!r}")


async def plan_entries(store: Store, run: str, after: int = 0, upto: int | None = None) -> list[Entry]:
    """The entries of the run's plan behind a position, up to another one or to the last.

    Raises:
        LookupError: when there are fewer.
    """
    found: list[Entry] = []
    while upto is None or after + len(found) < upto:
        page = await store.read(plan_stream(run), after + len(found), PAGE)
        if not page and upto is None:
            break
        if not page:
            raise LookupError(f"the plan of run {run} ends at {after + len(found)}, not at {upto}")
        found += [(entry.kind, msgspec.json.decode(entry.body)) for entry in page]
    return found if upto is None else found[: upto - after]


def book_of(entries: Iterable[Entry]) -> Book:
    """The plan after these entries."""
    book = Book()
    for kind, fields in entries:
        book.take(kind, fields)
    return book


async def run_plan(store: Store, run: str) -> RunPlan | None:
    """The plan of that very run; None when it has none."""
    book = book_of(await plan_entries(store, run))
    if not book.read:
        return None
    return RunPlan(steps=tuple(book.steps.values()), revisions=tuple(book.revisions))
