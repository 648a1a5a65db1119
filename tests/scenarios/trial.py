"""One audit that is killed and run again until it ends, and what must be true of it afterwards."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import attrs
import msgspec

from choragus.agents.inspection import RunSummary, runs, timeline
from choragus.mailbox.phrase import spelled_out
from choragus.mailbox.sqlite import SqliteStore

from . import ledger
from .fork_server import Ended, ForkServer, Order, Program
from .kill_point import Point

KILLED = -9
OUTCOME_UNKNOWN = 4
REPORT = "audit-report.md"
ARCHIVE = "audit-archive"
FILING = re.compile(r"choragus settle (\S+) (\S+) (\S+) --happened")
RUNS = 6
"""Runs without a kill after which an audit counts as stuck."""


@attrs.frozen(kw_only=True)
class Record:
    """What a file tells about its only run."""

    summaries: tuple[RunSummary, ...]
    finished: Counter[str]
    problems: tuple[str, ...]


@attrs.frozen(kw_only=True)
class Baseline:
    """The audit that nobody disturbed: its report, its archive, its calls, its costs, how much of what it did."""

    report: bytes
    filed: dict[str, bytes]
    record: Record
    counts: dict[str, int]
    seconds: float

    @property
    def summary(self) -> RunSummary:
        """Its run."""
        return self.record.summaries[0]


@attrs.define
class Trial:
    """An audit of `tree` in a new `folder`, and what was noticed while it was killed and went on."""

    server: ForkServer
    tree: Path
    folder: Path
    points: tuple[Point, ...] = ()
    kills: int = 0
    finished: set[str] = attrs.field(factory=set)
    doubled: list[str] = attrs.field(factory=list)
    unintended: list[str] = attrs.field(factory=list)
    settled: list[str] = attrs.field(factory=list)
    problems: list[str] = attrs.field(factory=list)

    @property
    def out(self) -> Path:
        """The example's `--out`."""
        return self.folder / "out"

    @property
    def database(self) -> Path:
        """The example's file."""
        return self.out / "audit.db"

    def run(self, point: Point | None = None) -> Ended:
        """Run the example once, to its end or its kill, and compare what it did with what was finished before."""
        before = len(self.ledger())
        ended = self.start("audit", "--yes", "--path", str(self.tree), "--out", str(self.out), point=point)
        lines = self.ledger()[before:]
        self.unintended += [line.what for line in lines if line.moment == "begun" and not line.intended]
        begun = ledger.times_begun(lines)
        self.doubled += sorted(self.finished & begun.keys())
        if ended.code == KILLED:
            self.kills += 1
            self._look()
        return ended

    def start(self, program: Program, *arguments: str, point: Point | None = None) -> Ended:
        """Run any of the programs in this folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        order = Order(
            program=program,
            arguments=list(arguments),
            ledger=str(self.folder / "ledger"),
            output=str(self.folder / "printed"),
            point=point,
        )
        return self.server.run(order)

    def ledger(self) -> list[ledger.Line]:
        """What was really executed so far."""
        return ledger.read(self.folder / "ledger")

    def filed(self) -> dict[str, bytes]:
        """The archive, by file name."""
        return {path.name: path.read_bytes() for path in (self.out / ARCHIVE).glob("*")}

    def settle(self, printed: str) -> None:
        """Do what the example asks a person to: look into the archive, and say what became of the filing."""
        asked = FILING.search(printed)
        if asked is None:
            self.problems.append(f"no command to settle it with in {printed!r}")
            return
        answer = "happened" if self.filed() else "not"
        ended = self.start("choragus", "settle", *asked.groups(), f"--{answer}")
        if ended.code != 0:
            self.problems.append(f"settling ended with {ended.code}: {ended.text}")
        self.settled.append(answer)

    def go_on(self) -> None:
        """Run it without a kill until it exits with 0, settling what it asks about."""
        for _ in range(RUNS):
            ended = self.run()
            if ended.code == 0:
                return
            if ended.code != OUTCOME_UNKNOWN:
                self.problems.append(f"a rerun ended with {ended.code}: {ended.text[-2000:]}")
                return
            self.settle(ended.text)
        self.problems.append(f"not through after {RUNS} runs")

    def _look(self) -> None:
        """Note what was finished when the kill came, from a copy: opening the file itself would tidy it up."""
        with closing(sqlite3.connect(_copy(self.database, self.folder / "copy"))) as connection:
            if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'cursor'").fetchall():
                return  # killed before the schema was there
            unfinished = {effect for (effect,) in connection.execute("SELECT id FROM effect")}
            told = connection.execute(
                "SELECT head.stream, body FROM entry JOIN head ON head.number = entry.stream "
                "WHERE kind IN ('call.finished', 'model.replied')"
            )
            self.finished |= {line.what for line in self.ledger() if line.intended and line.effect not in unfinished}
            self.finished |= {_subject(spelled_out(stream, body)) for stream, body in told}


def crash(server: ForkServer, tree: Path, folder: Path, points: Iterable[Point]) -> Trial:
    """Kill an audit at one point after the other, then let it go on to its end."""
    trial = Trial(server, tree, folder, tuple(points))
    for point in trial.points:
        ended = trial.run(point)
        if ended.code == OUTCOME_UNKNOWN:
            trial.settle(ended.text)
        elif ended.code == 0:
            return trial
        elif ended.code != KILLED:
            trial.problems.append(f"{point}: ended with {ended.code}: {ended.text[-2000:]}")
    trial.go_on()
    return trial


def faults(trial: Trial, baseline: Baseline) -> list[str]:
    """Every promise that the trial saw broken; empty when all was kept."""
    record = read_record(trial.database)
    begun = ledger.times_begun(trial.ledger())
    report = (trial.out / REPORT).read_bytes() if (trial.out / REPORT).exists() else b""
    checks = {
        "finished before the kill and executed again": trial.doubled,
        "executed without a committed intent": trial.unintended,
        "another report": report != baseline.report,
        "another archive": trial.filed() != baseline.filed and sorted(trial.filed()),
        "the file does not verify": record.problems,
        "not one completed run": [one.status.value for one in record.summaries] != ["completed"] and record.summaries,
        "other results in the logbook": _differences(record.finished, baseline.record.finished),
        "lost: never executed": sorted(baseline.record.finished.keys() - begun.keys()),
        "executed more often than killed": [what for what, times in begun.items() if times > 1 + trial.kills],
        "another price": "happened" not in trial.settled and _price(record) != _price(baseline.record) and record,
    }
    found = [f"{name}: {value}" for name, value in checks.items() if value]
    return [f"{list(trial.points)}: {fault}" for fault in [*trial.problems, *found]]


def read_record(database: Path) -> Record:
    """What the file tells, asked as a visitor, which changes nothing."""
    return asyncio.run(_read_record(database))


async def _read_record(database: Path) -> Record:
    store = await SqliteStore.open(database, visitor=True)
    try:
        summaries = await runs(store)
        finished: Counter[str] = Counter()
        for summary in summaries:
            async for event in timeline(store, summary.run):
                if event.kind == "call.finished":
                    finished[f"tool {event.data['call']}"] += 1
                elif event.kind == "model.replied":
                    finished[f"model {event.data['step']}"] += 1
        return Record(summaries=tuple(summaries), finished=finished, problems=(await store.verify()).problems)
    finally:
        await store.close()


def _copy(database: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in (database, database.with_name(f"{database.name}-wal")):
        if path.exists():
            shutil.copy(path, folder / path.name)
    return folder / database.name


def _subject(body: bytes) -> str:
    """What a request or a line of the logbook is about, as the ledger calls it."""
    fields: dict[str, object] = msgspec.json.decode(body)
    return f"tool {fields['call']}" if "call" in fields else f"model {fields['step']}"


def _differences(found: Counter[str], wanted: Counter[str]) -> dict[str, tuple[int, int]]:
    return {what: (found[what], wanted[what]) for what in found | wanted if found[what] != wanted[what]}


def _price(record: Record) -> list[tuple[int, int, float]]:
    return [(one.steps, one.tokens, round(one.cost_usd, 9)) for one in record.summaries]
