"""An agent that is evaluated in processes of its own: its model notes each call in a file, and takes its time."""

from __future__ import annotations

import asyncio
import os

from choragus.agents.agent import Agent
from choragus.agents.evaluation import Exact, Scorer
from choragus.agents.model import ModelRequest
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import FunctionModel

NOTES, PAUSE = "CHORAGUS_TEST_NOTES", "CHORAGUS_TEST_PAUSE"


async def shout(request: ModelRequest) -> str:
    """The goal in capitals; of `odd` something else."""
    goal = request.messages[0].text
    if NOTES in os.environ:
        with open(os.environ[NOTES], "a", encoding="utf-8") as notes:  # noqa: ASYNC230  # a line, in a test
            notes.write(f"{goal}\n")
    await asyncio.sleep(float(os.environ.get(PAUSE, "0")))
    return "?" if goal == "odd" else goal.upper()


def runtime() -> Runtime:
    """What `--app` names."""
    return Runtime(agents=[Agent("clerk", model=FunctionModel(shout))])


def fails() -> Runtime:
    """What has no key to begin with."""
    raise LookupError("no key")


scorers: list[Scorer] = [Exact(name="capitals")]
