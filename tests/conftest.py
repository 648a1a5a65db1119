"""Fixtures that every test sees."""

from __future__ import annotations

import pytest


@pytest.fixture
def anyio_backend() -> str:
    """Run every asynchronous test under asyncio, the one loop that choragus supports."""
    return "asyncio"
