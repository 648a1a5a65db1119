"""Opening a file that was left with much in it: every state and waiting message, against reading the rows alone."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter

from benchmarks.raw_commit import fresh

from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import Record, decode, encode
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Envelope, Turn

WINDOW = 64
"""How many messages an actor reads at once."""


async def left(folder: Path, actors: int, messages: int, state: object, message: object) -> Path:
    """A file in which so many actors wait, each for its share of the messages."""
    path, kept, sent = fresh(folder, "left"), encode(state), encode(message)
    names = [actor_id("benchmark.account", f"account-{n}") for n in range(actors)]
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("left", 1.0, 0.0)
    for begin in range(0, actors, 250):
        turns = (
            Turn(id=f"{name}@1", actor=name, fence=claim.fence, revision=0, state=kept)
            for name in names[begin : begin + 250]
        )
        await store.commit(Batch(node="left", fence=claim.fence, at=1.0, turns=tuple(turns)))
    for begin in range(0, messages, 1_000):
        await store.append(
            [
                Envelope(id=f"host:1#{n}", receiver=names[n % actors], sender="host", record=sent)
                for n in range(begin, min(begin + 1_000, messages))
            ]
        )
    await store.close()
    return path


async def reopened(path: Path) -> float:
    """Seconds until all actors have their state and their messages."""
    began = perf_counter()
    store = await SqliteStore.open(path)
    await store.claim("again", 1.0, 2.0)

    async def awake(actor: ActorId) -> None:
        state = (await store.load(actor)).state
        assert state is not None
        decode(state)
        for envelope in await store.fetch(actor, WINDOW, 2.0):
            decode(envelope.record)

    await asyncio.gather(*(awake(actor) for actor in await store.waiting(2.0)))
    took = perf_counter() - began
    await store.release("again")
    await store.close()
    return took


def read(path: Path) -> float:
    """Seconds to read and decode the same rows with plain `sqlite3`, in the order in which they lie there."""
    began = perf_counter()
    with closing(sqlite3.connect(path)) as connection:
        for *_, tag, version, body in connection.execute("SELECT *, tag, version, body FROM actor"):
            decode(Record(tag, version, body))
        for *_, tag, version, body in connection.execute("SELECT *, tag, version, body FROM message ORDER BY seq"):
            decode(Record(tag, version, body))
    return perf_counter() - began
