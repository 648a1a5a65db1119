"""Cutting a text into parts that are searched one by one."""

from __future__ import annotations

import re

_PARAGRAPH = re.compile(r".+?(?:\n[ \t]*\n\s*|\Z)", re.DOTALL)
_SENTENCE = re.compile(r".+?(?:[.!?]\s+|\n|\Z)", re.DOTALL)
_WORDS = re.compile(r"\s*\S+\s*", re.DOTALL)


def chunks(text: str, most: int) -> list[str]:
    """The text in parts of at most `most` characters; put together again they are the text.

    Paragraphs stay together as far as they fit, and so do their sentences and words; only a longer word is cut.

    >>> chunks("One.\\n\\nTwo. Three.\\n\\nFour.", 14)
    ['One.\\n\\n', 'Two. Three.\\n\\n', 'Four.']
    """
    parts: list[str] = []
    for piece in _pieces(text, most, (_PARAGRAPH, _SENTENCE, _WORDS)):
        if parts and len(parts[-1]) + len(piece) <= most:
            parts[-1] += piece
        else:
            parts.append(piece)
    return parts


def _pieces(text: str, most: int, ways: tuple[re.Pattern[str], ...]) -> list[str]:
    if len(text) <= most:
        return [text] if text else []
    if not ways:
        return [text[at : at + most] for at in range(0, len(text), most)]
    parts = ways[0].findall(text)
    if "".join(parts) != text:  # white space alone, which no word holds
        return _pieces(text, most, ways[1:])
    return [piece for part in parts for piece in _pieces(part, most, ways[1:])]
