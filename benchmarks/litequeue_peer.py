"""A queue in SQLite: each message put, taken and marked as done, a commit each."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,import-untyped"
from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter

from benchmarks.durable_peer import DurablePeer
from benchmarks.durable_plan import TEXT
from benchmarks.raw_commit import fresh
from benchmarks.target import at_least
from litequeue import LiteQueue

NAME = "litequeue"


def messages(folder: Path, amount: int, synchronous: str) -> float:
    """Seconds for one."""
    queue = LiteQueue(str(fresh(folder, NAME)))
    with closing(queue.conn):
        queue.conn.execute(f"PRAGMA synchronous = {synchronous}")
        begin = perf_counter()
        for _ in range(amount):
            queue.put(TEXT)
            taken = queue.pop()
            assert taken is not None
            queue.done(taken.message_id)
        return (perf_counter() - begin) / amount


PEER = DurablePeer(
    name=NAME,
    queues={
        "its default, NORMAL": (partial(messages, synchronous="NORMAL"), at_least(8.0)),
        "FULL": (partial(messages, synchronous="FULL"), at_least(8.0)),
    },
    notes=(
        "litequeue: put, pop and done of 200 characters, one after the other, a commit each; WAL; by its own default "
        "synchronous=NORMAL, which a loss of power may take commits from, and FULL as ours",
    ),
)
