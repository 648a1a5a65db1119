"""A process that puts texts and says so, until it is killed: `python putting.py FILE`."""

from __future__ import annotations

import sys
from itertools import count

import anyio

from choragus.agents.agent import Agent
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel


async def main(path: str) -> None:
    """Put one text after the other; every third is forgotten again."""
    async with Runtime(path, agents=[Agent("clerk", model=ScriptedModel(["done"]))]) as runtime:
        shelf = runtime.library("facts")
        for number in count():
            await shelf.add(f"zebra number{number}\n\n" + "more words " * 300, id=f"n{number}", subject=f"s{number}")
            print(f"put {number}", flush=True)
            if number % 3 == 2:
                await shelf.forget(subject=f"s{number}")
                print(f"forgot {number}", flush=True)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1])
