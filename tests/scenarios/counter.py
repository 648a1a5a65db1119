"""The example of a counter, as a scenario for `crash_everywhere`."""

from __future__ import annotations

from pathlib import Path

from choragus.supervision.testing import Ledger
from durable_counter import count, look


async def counting(path: Path, ledger: Ledger) -> int:
    """Fifty requests with keys, and where the counter stands then."""
    await count(path)
    return await look(path)
