"""What a run has left: its outcome, to be found by runs that have a goal like it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping

import msgspec
from attrs import field, frozen

from choragus.actors.ref import Ref
from choragus.agents.context.retrieval import Retrieved
from choragus.mailbox.document import Document
from choragus.mailbox.store import Store

from .found import fields_of
from .message import ForgetTexts, Forgotten, PutTexts, RunOver
from .shelf import LONGEST_QUERY
from .text import PAGE, check_names

SHORT = 2_000
"""Characters that are kept of a goal and of an outcome."""


@frozen(kw_only=True)
class Episode:
    """How a run of an agent ended, with what it cost and which tools it has called. `score`: how well it fits."""

    run: str
    agent: str
    goal: str
    status: str
    outcome: str
    steps: int
    cost_usd: float
    tools: tuple[str, ...]
    labels: tuple[str, ...]
    started: float
    ended: float
    score: float = 0.0

    @property
    def text(self) -> str:
        """The episode in a few lines, as a model reads it."""
        used = f" with {', '.join(self.tools)}" if self.tools else ""
        steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
        return f"Goal: {self.goal}\n{self.status} in {steps}{used}: {self.outcome}"


def facts_of(over: RunOver, tools: tuple[str, ...]) -> dict[str, object]:
    """What is kept of a run beside its labels."""
    return {
        "run": over.run,
        "agent": over.agent,
        "goal": over.goal[:SHORT],
        "status": over.status,
        "outcome": over.outcome[:SHORT],
        "steps": over.steps,
        "cost_usd": over.cost_usd,
        "tools": tools,
        "started": over.started,
        "ended": over.ended,
    }


def episode_of(facts: Mapping[str, object], labels: tuple[str, ...], score: float = 0.0) -> Episode:
    """The episode that was kept so."""
    return msgspec.convert({**facts, "labels": labels, "score": score}, Episode)


@frozen
class Episodes:
    """The episodes of one agent, from `runtime.episodes(agent)`. It reaches those of no other."""

    agent: str
    _store: Store = field(repr=False)
    _ref: Callable[[], Ref[PutTexts | ForgetTexts]] = field(repr=False)

    @property
    def collection(self) -> str:
        """Where the store has them."""
        return episodes_in(self.agent)

    async def search(self, goal: str, limit: int = 5) -> list[Episode]:
        """The runs whose goal and outcome fit best, best first.

        Raises:
            ValueError: when the limit is below 1.
        """
        if type(limit) is not int or limit < 1:
            raise ValueError(f"limit={limit!r}: give a whole number above 0")
        if not isinstance(goal, str):
            raise ValueError(f"goal={goal!r:.80} is no text: give one")
        hits = await self._store.search(self.collection, goal[:LONGEST_QUERY], limit)
        return [_read(hit.document, hit.score) for hit in hits]

    async def retrieve(self, query: str, *, run: str = "", agent: str = "", limit: int = 5) -> list[Retrieved]:
        """The same for the context of a run."""
        found = await self.search(query, limit)
        return [Retrieved(one.text, f"run {one.run}", one.score, one.labels) for one in found]

    async def all(self) -> AsyncIterator[Episode]:
        """Every episode, oldest first.

        Raises:
            CorruptRecord: when one is not what was written.
        """
        after = 0
        while page := await self._store.documents(self.collection, after, PAGE):
            for document in page:
                yield _read(document, 0.0)
            after = page[-1].number

    async def forget(self, run: str) -> Forgotten:
        """Delete what one run has left; its logbook stays until it is pruned."""
        check_names(run=run)
        return await self._ref().ask(ForgetTexts(id=run))


def episodes_in(agent: str) -> str:
    """The store's collection of an agent's episodes."""
    return f"episodes/{agent}"


def _read(document: Document, score: float) -> Episode:
    kept = fields_of(document)
    return episode_of(kept.facts, kept.labels, score)
