"""What is looked up for a run before its model is called: the protocol of who looks, and how often it is asked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal, Protocol, SupportsFloat, runtime_checkable

from attrs import field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.flow.label import UNTRUSTED

LONGEST_NAME = 512
"""Characters of a retriever's name."""


def _plain(text: str) -> str:
    return str(text) if isinstance(text, str) else text


def _as_float(score: SupportsFloat) -> float:
    # What is no number stays as it is, to be refused.
    try:
        return score if isinstance(score, str) else float(score)  # type: ignore[return-value]
    except (TypeError, ValueError, OverflowError):
        return score  # type: ignore[return-value]


def _as_labels(labels: Iterable[str]) -> tuple[str, ...]:
    # What is no list stays as it is, to be refused.
    return tuple(map(_plain, labels)) if isinstance(labels, list | tuple) else labels  # type: ignore[return-value]


@frozen
class Retrieved:
    """A text that was found, where, how well it fits, and where it came from at first.

    Without labels it counts as untrusted. The numbers and texts of numpy are taken as ours.

    Raises:
        ValueError: text or source is no text, the score no finite number, or the labels no list of texts.
    """

    text: str = field(converter=_plain)
    source: str = field(converter=_plain)
    score: float = field(default=0.0, converter=_as_float)
    labels: tuple[str, ...] = field(default=(), converter=_as_labels)

    def __attrs_post_init__(self) -> None:
        is_number = isinstance(self.score, float) and math.isfinite(self.score)
        if not isinstance(self.text, str) or not isinstance(self.source, str) or not is_number:
            raise ValueError(
                f"Retrieved({self.text!r:.80}, {self.source!r:.80}, {self.score!r:.80}): give texts and a number"
            )
        # A lone text is refused: its letters would be labels, none of which is "untrusted ...".
        if not isinstance(self.labels, tuple) or not all(isinstance(one, str) for one in self.labels):
            raise ValueError(f"Retrieved(labels={self.labels!r:.80}) is no list of texts: give ['untrusted NAME'], say")

    @property
    def origin(self) -> tuple[str, ...]:
        """Its labels, or that it is untrusted."""
        return self.labels or (f"{UNTRUSTED} {self.source}",)


@runtime_checkable
class Retriever(Protocol):
    """Finds what may be of use to a run. It is called outside of any turn, and again after a crash."""

    @property
    def name(self) -> str:
        """What it is called in the logbook and in the agent's identity."""

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        """The best texts for a query, best first, at most `limit`."""


class Finder(Protocol):
    """The part of a Retriever that finds."""

    async def retrieve(self, query: str, *, run: str, agent: str, limit: int) -> Sequence[Retrieved]:
        """The best texts for a query, best first, at most `limit`."""
        ...


@runtime_checkable
class Bound(Protocol):
    """A retriever that looks into what a runtime keeps, and is bound to that when it is asked."""

    def bound(self, shelves: Any, agent: str, /) -> Finder:
        """The same, within the runtime whose libraries these are, for that agent."""
        ...


@frozen
class Retrieval:
    """When a retriever is asked, and how much of what it finds is shown.

    Args:
        retriever: who looks.
        when: "start" asks once, for the goal; "step" before every model call, for what was said last.
        limit: texts at a time.
        most_tokens: of all its texts together; those that do not fit any more are left out.
        section: where in the context they stand: "retrieved" or "episodes".

    Raises:
        AgentFault: an option is none of those it may be.
    """

    retriever: Retriever
    when: Literal["start", "step"] = field(default="start", kw_only=True)
    limit: int = field(default=5, kw_only=True)
    most_tokens: int = field(default=2_000, kw_only=True)
    section: Literal["retrieved", "episodes"] = field(default="retrieved", kw_only=True)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.retriever, type) or not isinstance(self.retriever, Retriever):
            raise AgentFault(f"{self.retriever!r} is no Retriever: it needs a name and an async retrieve()")
        name = self.retriever.name
        if not isinstance(name, str) or not name or not name.isprintable() or len(name) > LONGEST_NAME:
            raise AgentFault(
                f"name={name!r:.80} of {type(self.retriever).__name__} is no name for a Retriever: give 1 to "
                f"{LONGEST_NAME} printable characters"
            )
        if self.when not in ("start", "step"):
            raise AgentFault(f"when={self.when!r} of a Retrieval is neither 'start' nor 'step'")
        if self.section not in ("retrieved", "episodes"):
            raise AgentFault(f"section={self.section!r} of a Retrieval is neither 'retrieved' nor 'episodes'")
        for name in ("limit", "most_tokens"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise AgentFault(f"{name}={value!r} of a Retrieval is none: give a whole number above 0")
