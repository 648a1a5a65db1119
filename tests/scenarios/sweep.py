"""Many trials, one per plan of kills, on as many fork servers as there are processors for them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from queue import SimpleQueue

import attrs

from .fork_server import ForkServer
from .kill_point import Point
from .trial import ARCHIVE, REPORT, Baseline, Trial, crash, faults, read_record

Plan = Sequence[Point]


@attrs.frozen(kw_only=True)
class Outcome:
    """What a sweep saw: its trials, every promise broken, and how long it took."""

    trials: tuple[Trial, ...]
    faults: tuple[str, ...]
    seconds: float

    @property
    def settled(self) -> set[str]:
        """The ways in which filings of unknown outcome were settled."""
        return {answer for trial in self.trials for answer in trial.settled}

    def __str__(self) -> str:
        names = ("executed again", "executed without", "lost", "not through")
        figures = ", ".join(f"{name}: {sum(name in fault for fault in self.faults)}" for name in names)
        kills = sum(trial.kills for trial in self.trials)
        asked = [answer for trial in self.trials for answer in trial.settled]
        return (
            f"{len(self.trials)} trials, {kills} kills, {self.seconds:.1f} s; {figures}, faults: {len(self.faults)}; "
            f"settled as happened: {asked.count('happened')}, as not: {asked.count('not')}"
        )


@attrs.frozen
class Range:
    """Where audits of `tree` are killed: its servers, a folder, and the audit that nobody disturbed."""

    servers: tuple[ForkServer, ...]
    tree: Path
    folder: Path
    baseline: Baseline
    statements: int
    """SQL statements of the undisturbed audit."""

    def trial(self, name: str) -> Trial:
        """A trial for a test that kills by hand."""
        return Trial(self.servers[0], self.tree, self.folder / name)

    def sweep(self, plans: Iterable[Plan]) -> Outcome:
        """Crash one audit per plan, compare each with the undisturbed one, and print the figures."""
        begun = time.monotonic()
        idle: SimpleQueue[ForkServer] = SimpleQueue()
        for server in self.servers:
            idle.put(server)

        def one(numbered: tuple[int, Plan]) -> tuple[Trial, list[str]]:
            server = idle.get()
            try:
                trial = crash(server, self.tree, self.folder / f"{begun}-{numbered[0]}", numbered[1])
                return trial, faults(trial, self.baseline)
            finally:
                idle.put(server)

        with ThreadPoolExecutor(len(self.servers)) as pool:
            results = list(pool.map(one, enumerate(plans)))
        outcome = Outcome(
            trials=tuple(trial for trial, _ in results),
            faults=tuple(fault for _, found in results for fault in found),
            seconds=time.monotonic() - begun,
        )
        print(outcome)
        return outcome


@contextmanager
def opened(tree: Path, folder: Path) -> Iterator[Range]:
    """A range with running servers."""
    with ExitStack() as stack:
        servers = tuple(stack.enter_context(ForkServer()) for _ in range(min(2, os.cpu_count() or 1)))
        counted = Trial(servers[0], tree, folder / "counted").run(Point("statement", 1e9))
        trial = Trial(servers[0], tree, folder / "undisturbed")
        ended = trial.run()
        assert ended.code == 0, ended.text
        baseline = Baseline(
            report=(trial.out / REPORT).read_bytes(),
            filed=trial.filed(),
            record=read_record(trial.database),
            counts=ended.counts,
            seconds=ended.seconds,
        )
        assert list(baseline.filed.values()) == [baseline.report], f"{ARCHIVE} does not hold the report"
        found = faults(trial, baseline)
        assert not found, found
        yield Range(servers, tree, folder, baseline, counted.counts["statement"])
