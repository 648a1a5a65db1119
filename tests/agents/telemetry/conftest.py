"""What the tests of telemetry start from."""

from __future__ import annotations

import pytest

from choragus.agents import tracing


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracers look as often as there is news."""
    monkeypatch.setattr(tracing, "PACE", 0.001)
