"""DBOS at the plans: workflows in its threads, of steps whose results it records in SQLite."""

# the library is there only with the extra `peers`, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,misc,no-any-unimported,untyped-decorator"
from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter

from benchmarks.durable_peer import DurablePeer
from benchmarks.durable_plan import TEXT, size
from benchmarks.raw_commit import fresh
from benchmarks.target import at_least
from dbos import DBOS

NAME = "dbos"
POLL = 0.01
"""Seconds between two looks at a result; a second by default."""


@DBOS.step()
def look() -> str:
    """One step."""
    return TEXT


@DBOS.workflow()
def plan(steps: int) -> int:
    """One plan."""
    return len([look() for _ in range(steps)])


@contextmanager
def _launched(path: Path) -> Iterator[None]:
    DBOS(
        config={
            "name": "benchmark",
            "system_database_url": f"sqlite:///{path}",
            "application_version": "1",
            "log_level": "CRITICAL",
        }
    )
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


def _run(path: Path, plans: int, amount: int) -> float:
    """Seconds for all."""
    with _launched(path):
        begin = perf_counter()
        handles = [DBOS.start_workflow(plan, amount) for _ in range(plans)]
        done = [one.get_result(polling_interval_sec=POLL) for one in handles]
        took = perf_counter() - begin
    assert done == [amount] * plans
    return took


def steps(folder: Path, plans: int, amount: int) -> float:
    return _run(fresh(folder, NAME), plans, amount) / (plans * amount)


def grown(folder: Path, amount: int) -> float:
    path = fresh(folder, NAME)
    _run(path, 0, 1)
    empty = size(path)
    _run(path, 1, amount)
    return size(path) - empty


PEER = DurablePeer(
    name=NAME,
    steps=steps,
    target=at_least(50.0),
    grown=grown,
    notes=(
        "dbos: a workflow of steps that give back 200 characters, in its threads (faster than its async form); SQLite "
        "as it opens it: a rollback journal, synchronous at SQLite's default (FULL)",
    ),
)
