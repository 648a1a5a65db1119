"""How far a reader has come: in the logbook, and in the answer that is being written behind that."""

from __future__ import annotations

import hashlib
import re
from typing import Final

from attrs import define, field, frozen

_CURSOR: Final = re.compile(r"(\d{1,18})(?:/(\d{1,18})\.(\d{1,18})/(\d{1,18})/([0-9a-f]{16}))?")


@frozen(kw_only=True)
class TextChunk:
    """A piece of a model's answer in a step, as it is written.

    `index` is how many characters of the answer come before it; the pieces of a step together are its text, as far as
    it may be shown. `attempt` says which attempt of the step wrote it. `cursor` is where to go on reading behind it,
    in this process or another: `run.events(cursor, chunks=True)`.
    """

    step: int
    attempt: int
    index: int
    text: str
    cursor: str


@frozen(kw_only=True)
class TextRestarted:
    """What was shown of the answer in a step is void: the call was made again, and the model says something else.

    The answer comes anew, from index 0.
    """

    step: int
    attempt: int
    cursor: str


@define
class Place:
    """Where a reader is. Of an answer it has read only the length and a hash: enough to know it again."""

    position: int = 0
    step: int = 0
    attempt: int = 0
    read: int = 0
    _hash: str = ""
    _hasher: hashlib._Hash | None = field(default=None, eq=False)

    @classmethod
    def at(cls, cursor: int | str) -> Place:
        """The place of a cursor, or behind a position of the logbook.

        Raises:
            ValueError: when it is none.
        """
        if isinstance(cursor, int) and not isinstance(cursor, bool) and cursor >= 0:
            return cls(cursor)
        found = _CURSOR.fullmatch(cursor) if isinstance(cursor, str) else None
        if found is None:
            raise ValueError(f"after={cursor!r} is no place: give a position from 0 on, or the cursor of a chunk")
        position, step, attempt, read, hash = found.groups()
        if step is None:
            return cls(int(position))
        return cls(int(position), int(step), int(attempt), int(read), hash)

    @property
    def cursor(self) -> str:
        """It as a text."""
        if not self.read:
            return str(self.position)
        return f"{self.position}/{self.step}.{self.attempt}/{self.read}/{self._digest()}"

    def begin(self, step: int, attempt: int) -> None:
        """Nothing of this answer was read."""
        self.step, self.attempt, self.read, self._hash, self._hasher = step, attempt, 0, "", None

    def goes_on(self, text: str) -> bool:
        """Whether what was read is how the text begins; from here on it is read as one with it."""
        if len(text) < self.read:
            return False
        hasher = _hashed(text[: self.read])
        if self.read and hasher.hexdigest()[:16] != self._digest():
            return False
        self._hasher = hasher
        return True

    def take(self, text: str) -> TextChunk:
        """Read on by this."""
        if self._hasher is None:
            self._hasher = _hashed("")
        index = self.read
        self._hasher.update(text.encode("utf-8", "surrogatepass"))
        self.read += len(text)
        return TextChunk(step=self.step, attempt=self.attempt, index=index, text=text, cursor=self.cursor)

    def restart(self, step: int, attempt: int) -> TextRestarted:
        """What was read is void."""
        self.begin(step, attempt)
        return TextRestarted(step=step, attempt=attempt, cursor=self.cursor)

    def _digest(self) -> str:
        return self._hash if self._hasher is None else self._hasher.hexdigest()[:16]


def _hashed(text: str) -> hashlib._Hash:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass"))
