"""Fixtures for pytest: `pytest_plugins = ["choragus.agents.testing.plugin"]` in the topmost conftest.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from choragus.agents.reality import forbid_real_calls


@pytest.fixture
def no_real_calls() -> Iterator[None]:
    """No real model is called while the test runs; `@pytest.mark.usefixtures("no_real_calls")`."""
    with forbid_real_calls():
        yield
