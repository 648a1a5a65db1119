"""Where a scenario is put to the test: its fork servers, its undisturbed run, and any number of plans on them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import attrs

from choragus.supervision.testing.fork_server import ForkServer
from choragus.supervision.testing.judgement import Baseline, Tolerance, baseline_of
from choragus.supervision.testing.order import Scenario

from .interposer import Kind, preloaded
from .trial import Plan, Seen, broken, shot_at, try_out

REPEATED = "commit.repeated"
"""The line that says that a commit failed, and is on disk in the end."""

SHARED = "/dev/shm"
"""A folder in memory, where a flush costs nothing; that it happens is seen by the interposer."""


def shared_folder() -> str | None:
    """Where trials may write; None for the system's own choice."""
    return SHARED if os.access(SHARED, os.W_OK) else None


@attrs.frozen(kw_only=True)
class Workload:
    """A scenario, and how it is judged.

    Args:
        allowed: the kinds of log lines of which an interruption may make more.
        goes_on: whether a fault ends its process, so that there is a recovery in which something can go wrong too.
    """

    name: str
    scenario: Scenario
    allowed: frozenset[str] = frozenset()
    goes_on: bool = True

    @property
    def tolerance(self) -> Tolerance:
        """What is compared of its logbook."""
        return Tolerance(allowed=self.allowed | {REPEATED}, bodies=frozenset())


class Stand:
    """A workload on its servers.

    Args:
        library: the interposer.
        servers: how many trials run at a time.
    """

    def __init__(self, workload: Workload, library: Path, servers: int = 1) -> None:
        self.workload = workload
        self._library = library
        self._count = servers
        self._stack = ExitStack()
        self._idle: SimpleQueue[ForkServer] = SimpleQueue()
        self._numbers = iter(range(1_000_000_000))

    def __enter__(self) -> Self:
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(dir=shared_folder())))
        try:
            with preloaded(self._library):
                for number in range(self._count):
                    log = self._folder / f"server-{number}" / "log"  # its folder goes with the server
                    log.parent.mkdir()
                    scenario = partial(shot_at, scenario=self.workload.scenario)
                    self._idle.put(self._stack.enter_context(ForkServer(scenario, log)))
            first, second = self.run(Plan()), self.run(Plan())
            self.baseline: Baseline = baseline_of(
                first.trial, second.trial, self.workload.name, self.workload.tolerance
            )
            self.calls = max(first.calls, second.calls)
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def count(self, kinds: Kind) -> int:
        """How many calls of these kinds an undisturbed run makes."""
        return self.run(Plan(kinds=kinds)).calls

    def run(self, plan: Plan) -> Seen:
        """Carry out one plan."""
        server = self._idle.get()
        try:
            return try_out(server, self._folder / str(next(self._numbers)), plan)
        finally:
            self._idle.put(server)

    def run_all(self, plans: Iterable[Plan]) -> Iterator[Seen]:
        """Carry out plans, as many at a time as there are servers, in order."""
        with ThreadPoolExecutor(self._count) as pool:
            yield from pool.map(self.run, plans)

    def broken(self, seen: Seen) -> list[str]:
        """Every promise that a trial saw broken."""
        return broken(seen, self.baseline, self.workload.tolerance)
