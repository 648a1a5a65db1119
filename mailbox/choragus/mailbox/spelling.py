"""Spelling out many short forms at once, as `phrase.spelled_out` does each: `verify` does it for every entry."""

from __future__ import annotations

from collections.abc import Sequence

from .phrase import TEXTS

_SEPARATOR = b"\x1f"
"""It stands between the bodies in hand: a control character that no form has."""
_KEPT = 4_096
"""So many pieces are remembered."""
_SHORT = 64
"""Bytes of a piece that is worth remembering: longer ones are said once."""

_SECONDS, _THIRDS = ({code[1]: text for code, text in TEXTS.items() if code[0] == lead} for lead in (2, 3))
_UNCODED = bytes(byte for byte in range(0x20) if byte not in (0x01, 0x1F))


class Speller:
    """Spells out bodies but for the key of their stream: `\\x01` is left to whoever knows that."""

    def __init__(self) -> None:
        self._seconds = _Pieces(_SECONDS).__getitem__
        self._thirds = _Pieces(_THIRDS).__getitem__

    def spelled(self, kept: Sequence[bytes]) -> list[bytes] | None:
        """The bodies, in their order; None when one of them is kept as it is, or is of no form: then go by each."""
        try:
            line = _SEPARATOR.join(kept)
            if b"\x03\x02" in line:  # no code: the second byte of one is no control character
                return None
            first, *pieces = line.split(b"\x02")
            line = first + b"".join(map(self._seconds, pieces))
            first, *pieces = line.split(b"\x03")
            line = first + b"".join(map(self._thirds, pieces))
        except (TypeError, LookupError):
            return None
        found = line.split(_SEPARATOR)
        is_whole = len(found) == len(kept) and len(line.translate(None, _UNCODED)) == len(line)
        return found if is_whole else None


class _Pieces(dict[bytes, bytes]):
    """What begins with the second byte of a code, with the phrase for that: many pieces come again and again."""

    def __init__(self, texts: dict[int, bytes]) -> None:
        super().__init__()
        self._texts = texts

    def __missing__(self, piece: bytes) -> bytes:
        found = self._texts[piece[0]] + piece[1:]
        if len(piece) <= _SHORT and len(self) < _KEPT:
            self[piece] = found
        return found
