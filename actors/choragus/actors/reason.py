"""An error as text that can be stored."""

from __future__ import annotations

LONGEST = 2000
"""Characters that are kept of a reason."""


def reason(error: BaseException) -> str:
    """What the error says, or its class when it says nothing; never more than 2,000 characters, always storable."""
    try:
        text = str(error)
    except Exception as broken:
        text = f"(its text cannot be made: {type(broken).__name__})"
    return printable(text or type(error).__name__)[:LONGEST]


def printable(text: str) -> str:
    """The text with whatever UTF-8 cannot carry, as the odd bytes of a file name, replaced by question marks."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
