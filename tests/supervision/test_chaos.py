"""Random trees, killed at random: the invariants hold for every seed. `pytest -m slow -k chaos` runs 2,000 more."""

from __future__ import annotations

import pytest

from choragus.actors.testing.loop import running
from choragus.actors.testing.simulation import simulated

from .chaos import play


@simulated(seeds=range(20))
async def test_chaos_leaves_every_tree_whole() -> None:
    world = await play(running().seed)

    assert world.wrong == []


@pytest.mark.slow
@pytest.mark.timeout(600)
@simulated(seeds=range(40, 2_040))
async def test_chaos_in_many_more_seeds() -> None:
    world = await play(running().seed)

    assert world.wrong == []
