"""Where the telemetry of a file that was there before begins."""

from __future__ import annotations

from datetime import datetime
from math import inf
from typing import Literal, TypeAlias

from choragus.mailbox.store import Store

Since: TypeAlias = 'Literal["beginning", "now"] | datetime'
"""All that the file has, what comes from now on, or what was entered at that time or later."""


def is_since(value: object) -> bool:
    """Whether it is one; a time needs its time zone."""
    return value in ("beginning", "now") or (isinstance(value, datetime) and value.tzinfo is not None)


async def position_of(store: Store, since: Since) -> int:
    """The position in the file behind which it begins, by some 40 reads of one entry at most."""
    if since == "beginning":
        return 0
    at = since.timestamp() if isinstance(since, datetime) else inf
    low, high = 0, 1
    while await _is_before(store, high - 1, at):
        low, high = high, high * 2
    while low < high:
        middle = (low + high) // 2
        if await _is_before(store, middle, at):
            low = middle + 1
        else:
            high = middle
    return low


async def _is_before(store: Store, position: int, at: float) -> bool:
    """Whether the entry behind a position is there, and older."""
    page = await store.log(position, 1)
    return bool(page) and page[0].at < at
