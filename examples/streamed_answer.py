"""An answer that is read while it is written, by a reader who comes back, from a model that fails.

A model of the provider `north` says its forecast word by word. In the middle of it the process ends. The reader has
kept a cursor, and goes on behind it in the next process. There `north` is busy, then down, and a model of the provider
`south` answers in its place: what it says alike is not shown twice, and what it says otherwise takes the place of what
stood on the screen. Nothing here needs a key or a network.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio

from choragus.agents import (
    Agent,
    ModelError,
    ModelOptions,
    ModelRequest,
    ProviderLimits,
    Retry,
    Run,
    RunEvent,
    Runtime,
    StreamingFunctionModel,
    TextChunk,
    TextRestarted,
)

FORECAST = "Rain in the morning, sun in the afternoon, wind at night."


class Forecaster(StreamingFunctionModel):
    """A model that says what it is given, word by word, or fails."""

    def __init__(self, provider: str, *plays: str | ModelError) -> None:
        super().__init__(self._speak, name=f"{provider}-1")
        self.provider = provider
        self._plays: Iterator[str | ModelError] = iter(plays)

    async def _speak(self, request: ModelRequest) -> AsyncIterator[str]:
        play = next(self._plays)
        if isinstance(play, ModelError):
            raise play
        for word in play.split(" "):
            yield f"{word} "
            await anyio.sleep(0.01)


def agent(north: Forecaster, south: Forecaster) -> Agent:
    """The same agent in each process."""
    options = ModelOptions(retries=Retry(times=1, first=0.05, most=5), first_token=10, timeout=60)
    return Agent("weather", model=north, fallbacks=[south], model_options=options)


async def read(run: Run, after: str, upto: str = "") -> str:
    """Print the answer as it comes, to its end or to a word; where the reader is then."""
    cursor = after
    async for one in run.events(after, chunks=True):
        match one:
            case TextChunk():
                sys.stdout.write(one.text)
                cursor = one.cursor
                if upto and upto in one.text:
                    break
            case TextRestarted():
                sys.stdout.write("\n  (that is void)\n  ")
                cursor = one.cursor
            case RunEvent(kind="model.failed"):
                sys.stdout.write(f"[{one.data['model']}: {one.data['reason']}] ")
            case RunEvent(kind="model.fallback"):
                sys.stdout.write(f"[{one.data['model']} instead] ")
            case _:
                pass
    sys.stdout.write("\n")
    return cursor


async def first_process(path: Path) -> str:
    """It ends in the middle of a sentence."""
    weather = agent(Forecaster("north", FORECAST), Forecaster("south"))
    async with Runtime(path, agents=[weather]) as runtime:
        run = await runtime.start(weather, "What will the weather be?", key="today")
        sys.stdout.write("first process:\n  ")
        return await read(run, "0", upto="sun")


async def next_process(path: Path, name: str, after: str, instead: str) -> None:
    """Its first model is busy, and then down."""
    busy = ModelError("busy", retryable=True, kind="overloaded", retry_after=0.2)
    weather = agent(Forecaster("north", busy, ModelError("down", kind="server")), Forecaster("south", instead))
    limits = {"north": ProviderLimits(concurrency=10)}
    async with Runtime(path, agents=[weather], providers=limits) as runtime:
        run = await runtime.start(weather, "What will the weather be?", key="today")
        sys.stdout.write(f"{name}:\n  ")
        await read(run, after)


async def main() -> None:
    """The same file goes on in two ways."""
    with TemporaryDirectory() as folder:
        path, copy = Path(folder) / "runs.db", Path(folder) / "copy.db"
        cursor = await first_process(path)
        copy.write_bytes(path.read_bytes())
        await next_process(path, "second process, another model that says the same", cursor, FORECAST)
        await next_process(copy, "the same again, and it says something else", cursor, "Fog all day.")


if __name__ == "__main__":
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
