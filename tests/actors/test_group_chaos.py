"""What holds for actors under chaos holds when all of them are of one group."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from choragus.actors import chain
from choragus.actors.kernel import Kernel
from choragus.actors.testing.simulation import simulated

from .chaos import Puppet
from .test_pipeline_chaos import scenario


class Forgetful(set[tuple[type, str]]):
    """Takes in some of what it is given, so that handlers that wait are tried again and again."""

    def add(self, element: tuple[type, str]) -> None:
        """Perhaps."""
        if random.random() < 0.02:
            super().add(element)


@pytest.fixture(autouse=True)
def grouped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All puppets are of one group, whatever their keys; over many programs much of what they do is done jointly."""
    begin, handle_all = Kernel.__init__, chain.Chain._handle_all
    handled: list[int] = []

    def forgetful(kernel: Kernel, *args: object) -> None:
        begin(kernel, *args)  # type: ignore[arg-type]  # as they came
        kernel.shy, kernel.quick = Forgetful(), random.choice([set, Forgetful])()

    def counted(one: chain.Chain) -> int:
        handled.append(handle_all(one))
        return handled[-1]

    monkeypatch.setattr(Kernel, "__init__", forgetful)
    monkeypatch.setattr(chain, "key_of", lambda id: "")
    monkeypatch.setattr(chain.Chain, "_handle_all", counted)
    monkeypatch.setattr(Puppet, "group", "test.chaos")
    yield
    assert len(handled) < 5_000 or sum(handled) > 100


@simulated(seeds=range(2))
async def test_each_message_is_handled_once_and_nothing_leaves_too_early() -> None:
    await scenario()


@simulated(seeds=range(2))
async def test_that_holds_over_the_ends_of_a_system() -> None:
    await scenario(rounds=2, acts=8)


@pytest.mark.slow
@pytest.mark.timeout(600)
@simulated(seeds=range(100, 500), steps=3_000_000)
async def test_that_holds_for_longer_programs() -> None:
    await scenario(rounds=random.choice([1, 1, 2, 3]), acts=20)
