"""What rots on disk: the write-ahead log cut, flipped or gone, and single bits anywhere in a file."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import attrs

from choragus.mailbox import ChoragusError, SqliteStore, actor_id
from choragus.mailbox.codec import decode
from choragus.supervision import System

from .machine import Seen
from .till import REGION, Add, Arm, Sum, Till, Waste

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Where files are laid out thousands of times: no flush is the subject here."""

TILL = actor_id("till.till", "a")
TURNS = 12


@attrs.frozen
class Remains:
    """The files as they were at one moment: the database and its log, which may be empty."""

    database: bytes
    log: bytes

    def put(self, path: Path, *, database: bytes | None = None, log: bytes | None = None) -> None:
        """Lay them out, with what is given in the place of what was."""
        for one in path.parent.glob(f"{path.name}*"):
            one.unlink()
        path.write_bytes(self.database if database is None else database)
        wanted = self.log if log is None else log
        if wanted:
            path.with_name(f"{path.name}-wal").write_bytes(wanted)


def remains(*, finished: bool) -> Remains:
    """Of a till after some turns: closed in order, or killed with most of it in the log alone."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "a.db")
        asyncio.run(_work(path, finished))
        log = path.with_name("killed-wal")
        if not finished:
            return Remains(path.with_name("killed").read_bytes(), log.read_bytes())
        return Remains(path.read_bytes(), b"")


async def _work(path: Path, finished: bool) -> None:
    async with System(path, actors=[REGION]) as system:
        till = system.ref(Till, "a")
        for number in range(TURNS // 2):
            await till.ask(Add(1), key=f"k{number}" if number < 3 else "")
        await till.ask(Arm(1e6))
        system.ref(Till, "b").tell(Waste(-1))
        async with asyncio.timeout(10):
            while not await system.kernel.store.parked():  # noqa: ASYNC110  # no event tells it to a host
                await asyncio.sleep(0.01)
        for _ in range(TURNS // 2):
            await till.ask(Add(1))
        if not finished:
            for name, to in ((path.name, "killed"), (f"{path.name}-wal", "killed-wal")):
                shutil.copyfile(path.with_name(name), path.with_name(to))


@attrs.frozen
class Told:
    """What a file says: `problems` of verify or the error of ours that stopped the reading, and all that is read."""

    problems: tuple[str, ...]
    total: int
    lines: tuple[int, ...]
    rest: tuple[str, ...]


async def told(path: Path) -> Told:
    """Read everything there is; an error that is none of ours is raised."""
    try:
        store = await SqliteStore.open(path)
    except ChoragusError as error:
        return Told((f"{type(error).__name__}: {error}",), -1, (), ())
    try:
        problems = list((await store.verify()).problems)
        try:
            record = (await store.load(TILL)).state
            state = None if record is None else decode(record)
            entries = await store.read("till/a")
            lines = tuple(json.loads(entry.body)["total"] for entry in entries if entry.kind == "added")
            mail = await store.fetch(TILL, 99, 1e12)
            rest = (mail, await store.parked(), await store.views("till"), await store.effects(), await store.log())
        except ChoragusError as error:
            return Told((*problems, f"{type(error).__name__}: {error}"), -1, (), ())
        total = state.total if isinstance(state, Sum) else 0
        return Told(tuple(problems), total, lines, tuple(map(repr, rest)))
    finally:
        await store.close()


@attrs.define
class Tally:
    """What became of so many damages."""

    points: int = 0
    noticed: int = 0
    unchanged: int = 0
    earlier: int = 0
    broken: list[str] = attrs.field(factory=list)
    lost: Counter[int] = attrs.field(factory=Counter)

    def add(self, what: str, right: Told, now: Told) -> None:
        """A damage is noticed, or changes nothing; with a log an earlier state, whole, is all that may be left."""
        self.points += 1
        if now.problems:
            self.noticed += 1
        elif now == right:
            self.unchanged += 1
        elif now.lines == right.lines[: len(now.lines)] and now.total == (now.lines or (0,))[-1]:
            self.earlier += 1
            self.lost[len(right.lines) - len(now.lines)] += 1
        else:
            self.broken.append(f"{what}: {now.total} after {len(now.lines)} lines, in silence")


def cuts(log: bytes, random: Random, number: int) -> Iterator[tuple[str, bytes]]:
    """The log cut at every 512 bytes, and at random places."""
    for size in (*range(0, len(log), 512), *(random.randrange(len(log)) for _ in range(number))):
        yield f"cut at {size}", log[:size]


def flips(content: bytes, random: Random, number: int) -> Iterator[tuple[str, bytes]]:
    """The content with one bit the other way, among the bytes that are in use."""
    used = [place for place, byte in enumerate(content) if byte]
    for _ in range(number):
        place, bit = random.choice(used), random.randrange(8)
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        yield f"bit {bit} of byte {place}", bytes(damaged)


def torn_logs(number: int, *, every: int = 1, seed: int = 5) -> dict[str, Tally]:
    """A killed run whose log is cut, flipped, or gone."""
    killed, random = remains(finished=False), Random(seed)
    all_cuts = list(cuts(killed.log, random, number))[::every]
    kinds = {"cut": all_cuts, "flipped": list(flips(killed.log, random, number)), "deleted": [("deleted", b"")]}
    return asyncio.run(_compare(killed, kinds))


async def _compare(killed: Remains, kinds: dict[str, list[tuple[str, bytes]]]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "a.db")
        killed.put(path)
        right = await told(path)
        assert right.problems == ()
        for kind, damages in kinds.items():
            tally = found[kind] = Tally()
            for what, log in damages:
                if log:
                    killed.put(path, log=log)
                else:
                    killed.put(path)
                    path.with_name("a.db-wal").unlink()
                tally.add(what, right, await told(path))
    return found


def flipped_files(number: int, *, finished: bool, seed: int = 6) -> Tally:
    """A finished run, or one in the middle, with one bit of its database flipped."""
    return asyncio.run(_flipped(number, remains(finished=finished), Random(seed)))


async def _flipped(number: int, whole: Remains, random: Random) -> Tally:
    tally = Tally()
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "a.db")
        whole.put(path)
        right = await told(path)
        assert right.problems == ()
        for what, database in flips(whole.database, random, number):
            whole.put(path, database=database)
            tally.add(what, right, await told(path))
    return tally


def read_without_index() -> tuple[Told, Told]:
    """A killed run whose -shm is gone, and the same one whose -shm is rubbish: SQLite makes it anew."""
    return asyncio.run(_without_index(remains(finished=False)))


async def _without_index(killed: Remains) -> tuple[Told, Told]:
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        path = Path(folder, "a.db")
        killed.put(path)
        gone = await told(path)
        killed.put(path)
        path.with_name("a.db-shm").write_bytes(b"\xff" * 32_768)
        return gone, await told(path)


def rows(quick: bool) -> list[Seen]:
    """Cut and flipped logs, and flipped files."""
    number = 40 if quick else 1500
    found = [
        _row(f"the -wal of a killed run {what}", tally)
        for what, tally in torn_logs(number, every=20 if quick else 1).items()
    ]
    for finished in (True, False):
        what = "a finished run" if finished else "a run in the middle"
        found.append(_row(f"one bit of the file of {what} flipped", flipped_files(number * 3, finished=finished)))
    return found


def _row(fault: str, tally: Tally) -> Seen:
    lost = f", by up to {max(tally.lost)} turns" if tally.lost else ""
    return Seen(
        fault=fault,
        points=tally.points,
        promised="noticed when read or by verify, or it changes nothing; nothing that is damaged is applied",
        noticed=tally.noticed,
        lost=tally.earlier,
        broken=tuple(tally.broken),
        seen=f"{tally.noticed} noticed, {tally.unchanged} changed nothing, {tally.earlier} left an earlier state{lost}",
    )
