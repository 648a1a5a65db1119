"""From when to when: as people write it, and the local day of a time. The standard library only."""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple

_AGO = re.compile(r"(\d{1,6})\s*([smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


class Period(NamedTuple):
    """From `since`, which is in it, to `until`, which is not; seconds since the epoch, None for no end there."""

    since: float | None = None
    until: float | None = None

    def __contains__(self, at: object) -> bool:
        """Whether a time is in it."""
        return isinstance(at, float | int) and not self.is_before(at) and (self.until is None or at < self.until)

    def is_before(self, at: float) -> bool:
        """Whether a time is before it begins."""
        return self.since is not None and at < self.since

    def told(self) -> str:
        """It in words, in local time."""
        since = "" if self.since is None else f"from {_moment(self.since)}"
        until = "" if self.until is None else f"until {_moment(self.until)}"
        return " ".join(filter(None, (since, until))) or "all of the file"


ALWAYS = Period()
"""All of a file."""


def period(since: str = "", until: str = "", *, now: float) -> Period:
    """The period that is written so: `7d` or `24h` ago, a local day, or a time in ISO 8601; empty for no end.

    A day stands for its beginning as `since`, and as `until` for its end, so that the same twice is that day.

    >>> period("2h", "30m", now=10_000.0)
    Period(since=2800.0, until=8200.0)

    Raises:
        ValueError: when one of them is no time, or it ends before it begins.
    """
    begin = _at("since", since, now, is_end=False) if since else None
    end = _at("until", until, now, is_end=True) if until else None
    if begin is not None and end is not None and end <= begin:
        raise ValueError(f"until={until!r} is not behind since={since!r}: give a period that has not ended before")
    return Period(begin, end)


def day(at: float) -> str:
    """The local day of a time, such as 2026-11-23."""
    return datetime.fromtimestamp(at).date().isoformat()


def _at(name: str, text: str, now: float, *, is_end: bool) -> float:
    text = text.strip()
    try:
        if ago := _AGO.fullmatch(text):
            at = now - int(ago[1]) * _UNITS[ago[2]]
            _ = day(at)  # one before the year 1 can be told to nobody
            return at
        if _DAY.fullmatch(text):
            begins = datetime.combine(datetime.fromisoformat(text).date(), time())
            return (begins + timedelta(days=1) if is_end else begins).timestamp()
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        raise ValueError(
            f"{name}={text!r} is no time: give 30m, 24h, 7d or 2w for so long ago, 2026-11-23 or 2026-11-23T09:00"
        ) from None


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at).isoformat(sep=" ", timespec="seconds")
