"""A time that was typed: a moment, or so long ago."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError
from datetime import datetime

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}

WHEN = "a moment such as 2026-11-22 or '2026-11-22 17:30', local time; or so long ago, such as 90m, 12h or 30d"


def age(text: str) -> float:
    """A stretch of time in seconds.

    >>> age("30m")
    1800.0
    """
    if not text[:-1].isdecimal() or text[-1:] not in _UNITS:
        raise ArgumentTypeError(f"{text!r} is no age: give a number with s, m, h, d or w, such as 30d")
    return int(text[:-1]) * _UNITS[text[-1]]


def moment_of(text: str) -> float:
    """Seconds since the epoch."""
    if text[:-1].isdecimal() and text[-1:] in _UNITS:
        return time.time() - age(text)
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ArgumentTypeError(f"{text!r} is no time: give {WHEN}") from None


def count_of(text: str) -> int:
    """A whole number, 0 or more."""
    if not (text.isascii() and text.isdecimal()):
        raise ArgumentTypeError(f"{text!r} is no number: give 0 or more")
    return int(text)
