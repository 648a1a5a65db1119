"""What libraries are told, and what they keep of themselves. Data only."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

LIBRARIAN = "choragus.library"
EPISODES = "choragus.episodes"


@stored("choragus.library_state")
@attrs.define
class LibraryState:
    """`documents` were there when they were last counted, `since` were put after that. `every`: the sweep's beat.

    `settling`: there is too much, and a sweep comes soon.
    """

    documents: int = 0
    since: int = 0
    every: float = 0.0
    settling: bool = False


@stored("choragus.text_put")
@attrs.frozen(kw_only=True)
class Text:
    """A document in its parts, with a vector each or none. `replaces`: another of its id may have more parts."""

    id: str
    chunks: tuple[str, ...]
    vectors: tuple[bytes, ...] = ()
    source: str = ""
    run: str = ""
    call: str = ""
    sha256: str = ""
    labels: tuple[str, ...] = ()
    subject: str = ""
    at: float | None = None
    replaces: bool = False


@stored("choragus.put_texts")
@attrs.frozen
class PutTexts(Request[int]):
    """Put documents, all in one turn; gives how many."""

    texts: tuple[Text, ...]


@stored("choragus.forgotten")
@attrs.frozen(kw_only=True)
class Forgotten:
    """How much was deleted."""

    documents: int = 0
    chunks: int = 0


@stored("choragus.forget_texts")
@attrs.frozen
class ForgetTexts(Request[Forgotten]):
    """Delete all of a subject, or one document by its id, in one turn."""

    subject: str = ""
    id: str = ""


@stored("choragus.sweep_library")
@attrs.frozen
class SweepLibrary:
    """Delete what is kept for too long, or is too much."""


@stored("choragus.run_over")
@attrs.frozen(kw_only=True)
class RunOver:
    """A run has ended, and its agent keeps episodes."""

    run: str
    agent: str
    goal: str
    status: str
    outcome: str
    steps: int
    cost_usd: float
    started: float
    ended: float
    upto: int
    """How many messages of the conversation its last reply stood upon."""
