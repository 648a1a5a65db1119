"""Whatever a program of messages, failures, time and crashes does to durable actors, they do what their rules allow."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from choragus.actors.testing import clock, crash, faults, simulate
from choragus.mailbox import MemoryStore
from choragus.supervision import System, SystemFailed

from .player import Act, Do, Outside, Player, Script, dumps
from .program import Send, Step, numbered, programs
from .world import DistantMemory, InlineStore, run


def in_memory(program: list[Step], seed: int) -> None:
    memory = DistantMemory()
    run(program, lambda: memory, seed)


def in_a_file(program: list[Step], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        run(program, lambda: InlineStore.at(Path(folder, "play.db")), seed)


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of failures on purpose are not to be logged."""
    caplog.set_level(logging.CRITICAL, logger="choragus")


once = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
often = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)
seeds = st.integers(0, 3)


@settings(once, max_examples=24)
@given(programs, seeds)
def test_durable_actors_in_memory_do_what_their_rules_allow(program: list[Step], seed: int) -> None:
    in_memory(program, seed)


@settings(once, max_examples=6)
@given(programs, seeds)
def test_durable_actors_in_a_file_do_what_their_rules_allow(program: list[Step], seed: int) -> None:
    in_a_file(program, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(often, max_examples=10_000)
@given(programs, seeds)
def test_many_programs_in_memory_do_what_their_rules_allow(program: list[Step], seed: int) -> None:
    in_memory(program, seed)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@settings(often, max_examples=2_000)
@given(programs, seeds)
def test_many_programs_in_a_file_do_what_their_rules_allow(program: list[Step], seed: int) -> None:
    in_a_file(program, seed)


def test_an_ask_that_ends_in_the_batch_of_its_reply_ends() -> None:
    """In memory nothing is far away: the turn that was refused is back before the one that it clashed with is tried."""
    question = Script((Act("ask", to="a", seconds=1.0, then=Script((Act("fail", times=1),))),))
    memory = MemoryStore()

    run(numbered([Send("c", question)]), lambda: memory, steps=50_000)


def test_a_crash_before_an_effect_ends_the_system() -> None:
    async def main() -> None:
        effect = Script((Act("effect", to="rerun", then=Script()),), 1)
        runners = {"work": Outside().work}
        try:
            with faults(crash("before effect")):
                async with System(store=MemoryStore(), actors=[Player], runners=runners, clock=clock) as system:
                    await system.ref(Player, "a").send(Do(1, dumps(effect)))
                    await asyncio.sleep(1)
        except SystemFailed:
            return
        raise AssertionError("the system goes on")

    simulate(main)
