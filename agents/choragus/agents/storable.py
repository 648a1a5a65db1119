"""Text as a file can keep it."""

from __future__ import annotations


def storable(text: str) -> str:
    """The text without what UTF-8 cannot carry (half a surrogate pair, say): each is a question mark instead."""
    return text.encode("utf-8", "replace").decode()
