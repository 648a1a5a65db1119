"""A scenario that is crashed wherever it can be."""

from __future__ import annotations

import asyncio
import os
import random
import tempfile
import time
import unittest
import warnings
from collections import Counter
from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue

from .errors import ScenarioFault
from .fork_server import ForkServer, name_of, stop_loading
from .judgement import Baseline, Tolerance, baseline_of, faults
from .order import Scenario
from .point import KINDS, CrashKind, CrashPoint, Plan, parse_plan, told
from .report import REPLAY, CrashFault, CrashReport
from .trial import Trial, try_out

SHARED = "/dev/shm"

PER_SERVER = 16
"""Crashes that make another server worth its start."""


def crash_everywhere(
    scenario: Scenario,
    *,
    sample: int | None = None,
    pairs: int = 0,
    seed: int = 0,
    allowed: Collection[str] = (),
    bodies: Collection[str] = (),
    timeout: float = 30.0,
) -> CrashSweep:
    """Run a scenario undisturbed, then once for every point at which its process could die; kill it there, and compare.

    A scenario is an async function at the top level of a module. It gets the path of a SQLite file, which it opens
    with `System(path, ...)` or `Runtime(path, ...)`, and a `Ledger`, where its effects note what they really did. It
    gives back its outcome. It is run in a process of its own, killed by SIGKILL, and run again on the same file, to
    its end: so it must be one that can go on, with keys for what the host says (`ref.ask(..., key=...)`).

        async def test_a_transfer_survives_every_crash() -> None:
            await crash_everywhere(transfer)

    In plain code: `crash_everywhere(transfer).check()`. The points are those of `faults()`, around every transaction
    and before every effect, and every line of the ledger. After each crash must be as in the undisturbed run: the
    outcome, the changes in the ledger, and the logbook's number of lines of each kind in each stream; the
    file verifies, no effect runs once its result is on disk, and one that cannot be undone never runs twice.

    With `CHORAGUS_CRASH='after commit 7'` in the environment only that crash is tried.

    Args:
        scenario: an async function, or a functools.partial of one.
        sample: how many points are tried, some of each kind; None tries them all.
        pairs: how many times it is killed again in its recovery, at a random point, on top of that.
        seed: which points are sampled, and which pairs.
        allowed: kinds of lines in the logbook of which an interruption may make more or fewer.
        bodies: kinds of lines that must say the same too, whose bodies depend on no order, time or random id.
        timeout: seconds that one process may take.

    Raises:
        ValueError: when a number is below its least.
    """
    if sample is not None and sample < 1:
        raise ValueError(f"sample={sample!r} of crash_everywhere: give 1 or more, or None for every point")
    if pairs < 0 or not timeout > 0:
        raise ValueError(f"pairs={pairs!r}, timeout={timeout!r} of crash_everywhere: give 0 or more, and above 0 s")
    tolerance = Tolerance(allowed=frozenset(allowed), bodies=frozenset(bodies))
    return CrashSweep(scenario, sample=sample, pairs=pairs, seed=seed, tolerance=tolerance, timeout=timeout)


class CrashSweep:
    """The crashes that `crash_everywhere` is to try: await it, or call `check`."""

    def __init__(
        self, scenario: Scenario, *, sample: int | None, pairs: int, seed: int, tolerance: Tolerance, timeout: float
    ) -> None:
        self._scenario = scenario
        self._sample = sample
        self._pairs = pairs
        self._seed = seed
        self._tolerance = tolerance
        self._timeout = timeout
        self._was_run = False
        self._range: _Range | None = None

    def __await__(self) -> Generator[object, None, CrashReport]:
        self._was_run = True
        return self._checked().__await__()

    async def _checked(self) -> CrashReport:
        try:
            return await asyncio.to_thread(self.check)
        finally:
            if self._range is not None:
                self._range.stop()

    def __del__(self) -> None:
        if not getattr(self, "_was_run", True):
            warnings.warn(
                f"crash_everywhere({name_of(self._scenario)}) tried nothing: await it, or call its check()",
                RuntimeWarning,
                stacklevel=2,
            )

    def check(self) -> CrashReport:
        """Try them, and give back what was seen.

        Raises:
            AssertionError: naming each crash that was not survived, what it broke, and how to replay it.
            ScenarioFault: when the scenario cannot be loaded, fails undisturbed, or is another each time.
            unittest.SkipTest: on a system without fork and SIGKILL.
        """
        report = self.run()
        if report.faults:
            raise AssertionError(str(report))
        return report

    def run(self) -> CrashReport:
        """As `check`, but a crash that was not survived is only in the report."""
        self._was_run = True
        stop_loading()
        if not hasattr(os, "fork"):
            raise unittest.SkipTest("crash_everywhere kills forked processes by SIGKILL, and this system has no fork")
        begun = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="choragus-crash-", dir=_place()) as folder, ExitStack() as stack:
            range_ = self._range = _Range(self._scenario, Path(folder), self._timeout, stack)
            first, second = (range_.one(()) for _ in range(2))
            baseline = baseline_of(first, second, name_of(self._scenario), self._tolerance)
            points = baseline.witness.counts
            trials = range_.all(self._plans(points))
        if REPLAY in os.environ:
            print("".join(trial.printed for trial in trials))
        self._check_reached(trials, points)
        return CrashReport(
            scenario=name_of(self._scenario),
            points={kind: points[kind] for kind in KINDS if kind in points},
            trials=len(trials),
            kills=sum(trial.kills for trial in trials),
            seconds=time.monotonic() - begun,
            faults=tuple(self._broken(trials, baseline)),
        )

    def _plans(self, points: Mapping[CrashKind, int]) -> Sequence[Plan]:
        if given := os.environ.get(REPLAY, ""):
            return [parse_plan(given)]
        chance = random.Random(self._seed)
        every = [CrashPoint(kind, number) for kind in KINDS for number in range(1, points.get(kind, 0) + 1)]
        chosen = every if self._sample is None else _sampled(every, self._sample, chance)
        return [
            *((one,) for one in chosen),
            *((chance.choice(every), chance.choice(every)) for _ in range(self._pairs)),
        ]

    def _check_reached(self, trials: Sequence[Trial], points: Mapping[CrashKind, int]) -> None:
        if not any(trial.kills for trial in trials):
            raise ScenarioFault(
                f"{name_of(self._scenario)} never came to {REPLAY}={told(trials[0].plan)!r}; it has {dict(points)}"
            )

    def _broken(self, trials: Iterable[Trial], baseline: Baseline) -> Iterable[CrashFault]:
        for trial in trials:
            if broken := faults(trial, baseline, self._tolerance):
                yield CrashFault(plan=trial.plan, where=str(trial), broken=broken)


def _place() -> str | None:
    """In memory, where a flush is free: a SIGKILL takes nothing from files. Where TMPDIR says so, if it says."""
    return None if "TMPDIR" in os.environ or not os.access(SHARED, os.W_OK) else SHARED


def _sampled(every: Sequence[CrashPoint], number: int, chance: random.Random) -> list[CrashPoint]:
    """As many of each kind as is its share, and one at least: so a few more than asked for, at most."""
    kinds = Counter(point.kind for point in every)
    chosen: list[CrashPoint] = []
    for kind, count in kinds.items():
        share = min(count, max(1, round(number * count / len(every))))
        chosen += chance.sample([point for point in every if point.kind == kind], share)
    return sorted(chosen)


class _Range:
    """Servers, started as they are needed, and a folder for each trial."""

    def __init__(self, scenario: Scenario, folder: Path, patience: float, stack: ExitStack) -> None:
        self._scenario = scenario
        self._folder = folder
        self._patience = patience
        self._stack = stack
        self._servers: list[ForkServer] = []
        self._is_over = False
        self._idle: SimpleQueue[ForkServer] = SimpleQueue()
        self._add()
        self._trials = iter(range(1_000_000_000))

    def one(self, plan: Plan) -> Trial:
        """Try one plan on a server that is idle.

        Raises:
            CancelledError: when whoever awaits it was cancelled.
        """
        if self._is_over:
            raise CancelledError("nobody awaits this sweep any more")
        server = self._idle.get()
        try:
            return try_out(server, self._folder / str(next(self._trials)), plan, self._patience)
        finally:
            self._idle.put(server)

    def all(self, plans: Sequence[Plan]) -> list[Trial]:
        """Try them all, on as many servers as there are processors, unless pytest-xdist keeps those busy."""
        most = 1 if "PYTEST_XDIST_WORKER" in os.environ else os.cpu_count() or 1
        servers = min(most, 1 + len(plans) // PER_SERVER)
        for _ in range(servers - 1):
            self._add()
        if servers == 1:
            return [self.one(plan) for plan in plans]
        with ThreadPoolExecutor(servers) as pool:
            return list(pool.map(self.one, plans))

    def stop(self) -> None:
        """Nobody waits for it any more: try nothing else, and end what runs; from any thread."""
        self._is_over = True
        for server in self._servers:
            server.stop()

    def _add(self) -> None:
        server = self._stack.enter_context(ForkServer(self._scenario, self._folder / "server.log"))
        self._servers.append(server)
        self._idle.put(server)
