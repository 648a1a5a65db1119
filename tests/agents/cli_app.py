"""An application of the command line's tests: runtimes given in many ways, on the file of `CHORAGUS_TEST_FILE`."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from choragus.agents.agent import Agent
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel

from .cli_clerk import clerk

nothing = 3


def make() -> Runtime:
    """A new one."""
    quick = Agent("quick", model=ScriptedModel(["It is done.\nAll of it."]))
    broken = Agent("broken", model=ScriptedModel([]))
    return Runtime(os.environ.get("CHORAGUS_TEST_FILE", "app.db"), agents=[clerk(), quick, broken])


runtime = make()


async def later() -> Runtime:
    """One that takes a while."""
    return make()


@asynccontextmanager
async def opened() -> AsyncIterator[Runtime]:
    """One that is open."""
    async with make() as one:
        yield one


@contextmanager
def closed() -> Iterator[Runtime]:
    """One that is not open yet."""
    yield make()


def wants(it: object) -> Runtime:
    """One that cannot be had."""
    raise AssertionError(it)


in_memory = Runtime(agents=[Agent("quick", model=ScriptedModel(["It is done."]))])
