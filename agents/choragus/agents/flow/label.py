"""Where a value came from, and how far whoever wrote untrusted text may have steered it."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from attrs import frozen

USER = "user"
DEVELOPER = "developer"
RUNTIME = "runtime"
UNTRUSTED = "untrusted"

OWN, MIXED = "own", "mixed"
"""Whose word a result is, where it is not the RUNTIME's: the tool's own, or that of several."""


class Level(enum.IntEnum):
    """How far untrusted text may have steered a value; each level is worse than the one before it."""

    TRUSTED = 0
    """Nothing but the user, the developer and trusted fields had a part in it."""
    CHOSEN = 1
    """A trusted value, but which one of several was chosen after untrusted text had been read."""
    NAMED = 2
    """Copied out of an untrusted place that the plan had named before any untrusted text was read."""
    INERT = 3
    """Written by the model after it had read untrusted text; a number, a date, or prose without any address."""
    ANY = 4
    """The same, with something in it to click, to write to or to pay."""


@frozen
class Label:
    """The sources of a value, and its level. Labels only grow: what is joined is never taken out again.

    >>> Label.of("user").join(Label.of("untrusted web")).level.name
    'ANY'
    """

    sources: frozenset[str]
    level: Level = Level.TRUSTED

    @classmethod
    def of(cls, *sources: str) -> Label:
        """The label of a value that stands as it came: any untrusted source makes it untrusted through and through."""
        return cls(frozenset(sources), Level.ANY if any(map(is_untrusted, sources)) else Level.TRUSTED)

    @property
    def is_trusted(self) -> bool:
        """Whether untrusted text had no part in it."""
        return self.level is Level.TRUSTED

    def join(self, other: Label) -> Label:
        """The label of what both had a part in."""
        if other.sources <= self.sources and other.level <= self.level:
            return self
        return Label(self.sources | other.sources, max(self.level, other.level))

    def at(self, level: Level) -> Label:
        """The same sources at another level."""
        return Label(self.sources, level)


def joined(labels: Iterable[Label]) -> Label:
    """The join of all of them; of none, that of the developer, who wrote what stands there anyway."""
    total = Label.of(DEVELOPER)
    for label in labels:
        total = total.join(label)
    return total


def is_untrusted(source: str) -> bool:
    """Whether a source is marked as untrusted."""
    return source.split(" ", 1)[0] == UNTRUSTED
