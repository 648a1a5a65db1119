"""Redaction of a text that comes in pieces, wherever these are cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from .redacted import KINDS, known, replaced, spans
from .secret import PEM_HEAD, WORDS
from .span import Span

MOST = 16_384
"""Characters that are held back at most: a private key that is longer is cut there."""

KEPT = 8_192
"""Of a word that is longer than that, so many characters stay in hand in case a secret begins in it."""

WIDEST = 80
"""No number, with the spaces in it, is wider than this."""

WINDOW = 512

_SPACE = re.compile(r"\s+")
_OPEN = re.compile(
    rf"(?i)(?:{WORDS}|authorization|bearer)(?:\\?[\"'])?\s{{0,4}}(?:=>?|:)?\s{{0,4}}(?:\\?[\"'])?(?:[a-z]{{3,12}}\s{{1,4}})?\Z"
)
_NUMBER = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ().+/-")
_KEY_END = re.compile(r"-----END [A-Z0-9 ]{1,60}+-----")
_WORD = re.compile(r"[^\s\"'\\,;&<>()\[\]{}@]*")
_REST = {"private-key": re.compile(r"[A-Za-z0-9+/=\s]*")}


class RedactionStream:
    """Gives back what is safe to show as soon as it is, and holds back what may be the beginning of a secret.

    What it has given back in the end is what `redact` gives for the whole text.

    >>> stream = RedactionStream()
    >>> stream.feed("card 4111 11"), stream.feed("11 1111 1111, tha"), stream.feed("nks"), stream.close()
    ('card ', '[redacted:card], ', '', 'thanks')

    Args:
        kinds: what to look for, as in `redact`.

    Raises:
        AgentFault: when a kind is unknown.
    """

    def __init__(self, kinds: Iterable[str] = KINDS) -> None:
        self._kinds = known(kinds)
        self._before = ""
        self._held = ""
        self._parts: list[str] = []
        self._size = self._due = 0
        self._is_stuck = self._in_key = False
        self._swallows: re.Pattern[str] | None = None

    def feed(self, chunk: str) -> str:
        """Take the next piece of the text; the reply is what can be shown by now, often less, at times nothing."""
        chunk = self._swallowed(chunk)
        if not chunk:
            return ""
        self._parts.append(chunk)
        self._size += len(chunk)
        return self._release() if self._size >= self._due or self._may_end(chunk) else ""

    def close(self) -> str:
        """The text is at its end: the rest of it."""
        text, skip = self._text()
        self._keep(text, len(text))
        return replaced(text, spans(text, self._kinds, skip))[skip:]

    def _swallowed(self, chunk: str) -> str:
        """What is left of the piece behind a secret whose beginning was replaced already."""
        match = self._swallows.match(chunk) if self._swallows else None
        if match is None:
            return chunk
        if match.end() < len(chunk):
            self._swallows = None
        return chunk[match.end() :]

    def _may_end(self, chunk: str) -> bool:
        """Whether the piece ends what is held back, so that it is worth to look at it again."""
        if self._in_key:
            return _KEY_END.search("".join(self._parts[-WIDEST:])[-WIDEST - len(chunk) :]) is not None
        return not self._is_stuck and _SPACE.search(chunk) is not None

    def _text(self) -> tuple[str, int]:
        return self._before + self._held + "".join(self._parts), len(self._before)

    def _release(self) -> str:
        text, skip = self._text()
        found = spans(text, self._kinds, skip)
        cut = self._cut(text, skip, found)
        if cut == skip and self._size >= MOST:
            cut = self._forced(text, found)
        self._keep(text, cut)
        shown = replaced(text[:cut], (one for one in found if one.end <= cut))
        self._before = shown[-1:]  # a placeholder is an edge of what follows it
        return shown[skip:]

    def _forced(self, text: str, found: Sequence[Span]) -> int:
        """Too much is held back: let go of all but the last of it, and of a secret at its end the rest to come."""
        self._in_key = False
        if found and found[-1].end == len(text):
            self._swallows = _REST.get(found[-1].kind, _WORD)
            return len(text)
        cut = len(text) - KEPT
        return max([cut, *(one.end for one in found if one.start < cut < one.end)])

    def _keep(self, text: str, cut: int) -> None:
        self._held, self._parts = text[cut:], []
        self._is_stuck = _SPACE.search(self._held) is not None
        self._size = len(self._held)
        # The same text is not looked at again for every character: that would take the square of its length.
        self._due = MOST if self._in_key else min(MOST, self._size + self._size // 8)

    def _cut(self, text: str, skip: int, found: Sequence[Span]) -> int:
        """Up to where the text is done: no match goes on behind it, whatever comes."""
        key = _open_key(text)
        self._in_key = key is not None
        end = len(text) if key is None else key
        until = end
        while until > skip:
            since = max(skip, until - WINDOW)
            for run in reversed(list(_SPACE.finditer(text, since, until))):
                cut = run.end()
                is_within = any(one.start < cut < one.end for one in found)
                if not is_within and not _is_joined(text, run.start(), cut, end):
                    return cut
            until = since
        return skip


def _is_joined(text: str, start: int, end: int, length: int) -> bool:
    """Whether one match may go on across the space at `text[start:end]`."""
    right = text[end : end + 1]
    if right in (":", "=") or _OPEN.search(text, max(0, end - 2 * WIDEST), end):
        return True
    while start and text[start - 1].isspace():
        start -= 1
    left = text[start - 1 : start]
    is_number = end - start <= 2 and left in _NUMBER and (not right or right in _NUMBER)
    return is_number and length - end < WIDEST


def _open_key(text: str) -> int | None:
    """Where a private key begins that has not come to its end; or what may become one."""
    begin = text.rfind("-----BEGIN ")
    if begin < 0:
        return None
    head = PEM_HEAD.match(text, begin)
    if head is None:
        return begin if len(text) - begin < WIDEST and "\n" not in text[begin:] else None
    return None if _KEY_END.search(text, head.end()) else begin
