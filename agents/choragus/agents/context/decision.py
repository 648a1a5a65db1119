"""What is decided about a context, as it is kept: small records that name positions of the conversation, not texts.

`step` is the step before which it was decided, `upto` how long the conversation was then. A later decision stands on
the earlier ones, so the context of any step is what all decisions up to its version make of the conversation.
"""

from __future__ import annotations

from typing import TypeAlias, TypeVar

import attrs
import msgspec

from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.turn import LogEntry

from .retrieval import Retrieved

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Positions from and to, both included."""

D = TypeVar("D")


@attrs.frozen(kw_only=True)
class Framed:
    """What stands around the conversation: written when a run begins, and when its agent is another since.

    `fixed` is the weight in characters of what is sent beside instructions and lines: the tools' schemas.
    """

    step: int
    upto: int
    budget_tokens: int
    order: tuple[str, ...]
    instructions: str
    prompt: str
    prompt_version: str
    prompt_hash: str
    tools: tuple[str, ...]
    fixed: int
    blocks: tuple[BlockFrame, ...] = ()


@attrs.frozen(kw_only=True)
class BlockFrame:
    """A block as the agent declares it."""

    label: str
    text: str
    limit: int
    description: str
    editable: bool
    shared: bool = False


@attrs.frozen(kw_only=True)
class Pinned:
    """These lines are never lost, by a rule."""

    step: int
    upto: int
    positions: tuple[int, ...]
    by: str


@attrs.frozen(kw_only=True)
class InHand:
    """The line at that position tells of the step of the plan in hand: it is never lost until another does."""

    step: int
    upto: int
    position: int


@attrs.frozen(kw_only=True)
class Dropped:
    """These lines are not shown any more."""

    step: int
    upto: int
    ranges: Ranges
    by: str


@attrs.frozen(kw_only=True)
class Stubbed:
    """These results are shown as one line."""

    step: int
    upto: int
    positions: tuple[int, ...]
    by: str


@attrs.frozen(kw_only=True)
class Shortened:
    """Of these lines the first `to` characters are shown."""

    step: int
    upto: int
    positions: tuple[int, ...]
    to: int
    by: str


@attrs.frozen(kw_only=True)
class Summarised:
    """In the place of these lines, and of the summary before it, stands this text, with the labels of all of them."""

    step: int
    upto: int
    number: int
    ranges: Ranges
    text: str
    labels: tuple[str, ...]
    model: str
    by: str


@attrs.frozen(kw_only=True)
class Fetched:
    """What a retriever found, in the place of what it had found before. `index` is its place among Context.retrieve."""

    step: int
    upto: int
    index: int
    by: str
    section: str
    items: tuple[Retrieved, ...]


@attrs.frozen(kw_only=True)
class Edited:
    """The agent has given a block this text by that call; `answer` is what the model is told of it."""

    step: int
    upto: int
    label: str
    text: str
    call: str
    labels: tuple[str, ...]
    number: int
    answer: str


Decision: TypeAlias = Framed | Pinned | InHand | Dropped | Stubbed | Shortened | Summarised | Fetched | Edited

_KINDS: dict[str, type[Decision]] = {
    "framed": Framed,
    "pinned": Pinned,
    "in_hand": InHand,
    "dropped": Dropped,
    "stubbed": Stubbed,
    "shortened": Shortened,
    "summarised": Summarised,
    "fetched": Fetched,
    "edited": Edited,
}
_NAMES = {kind: name for name, kind in _KINDS.items()}


@attrs.frozen
class Note:
    """A decision as it is written: its kind and its fields."""

    kind: str
    body: dict[str, object]

    @classmethod
    def of(cls, decision: Decision) -> Note:
        """The note of a decision."""
        return cls(_NAMES[type(decision)], msgspec.to_builtins(decision))

    def read(self) -> Decision:
        """The decision of a note."""
        return _decoded(self.kind, msgspec.json.encode(self.body))


def decision_of(entry: LogEntry) -> Decision:
    """The decision that an entry of a context's stream holds."""
    return _decoded(entry.kind, entry.body)


def _decoded(kind: str, body: bytes) -> Decision:
    if kind not in _KINDS:
        raise LookupError(f"the context of the run holds a decision of kind {kind!r}, which this version does not know")
    record = Record("json", 1, body)
    found: Decision = decode_as(_KINDS[kind], record)
    return found
