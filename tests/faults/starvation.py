"""A process that may have no more memory, no more open files, no more room on disk."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

from choragus.supervision import System

from . import till
from .machine import Seen
from .till import REGION, Add, Till

MEGABYTE = 1_000_000
TMPFS = 3 * MEGABYTE


@attrs.define
class Ending:
    """What a till said before it ended or was stopped, and what is on disk."""

    told: int = 0
    errors: tuple[str, ...] = ()
    ended: str = ""
    stderr: str = ""
    total: int = -1
    problems: tuple[str, ...] = ()

    @property
    def broken(self) -> tuple[str, ...]:
        """What of it breaks a promise."""
        found = (
            [f"{self.told} was told and {self.total} is on disk"]
            if not self.told <= self.total <= self.told + 1
            else []
        )
        found += [f"verify: {problem}" for problem in self.problems]
        if "Traceback" in self.stderr and "choragus." not in self.stderr:
            found.append("an error that is none of ours")
        return tuple(found)


def starved(path: Path, *limit: str, lines: int = 200) -> Ending:
    """Run a till under a limit until it has said so many lines, or ends; then look at the file."""
    ending = Ending()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, till.__file__, str(path), *limit]
    with tempfile.TemporaryFile("w+") as err:
        with subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=err) as process:
            assert process.stdout is not None
            errors: list[str] = []
            for number, line in enumerate(process.stdout):
                kind, _, text = line.strip().partition(" ")
                if kind == "total":
                    ending.told = int(text)
                elif kind == "error":
                    errors.append(text)
                else:
                    ending.ended = text
                if number >= lines or (len(errors) > 3 and limit[0] == "RLIMIT_FSIZE"):
                    break
            ending.ended = ending.ended or _death(process)
            process.kill()
            ending.told = max([ending.told, *_totals(process.stdout)])
        err.seek(0)
        ending.stderr = err.read()
    ending.errors = tuple(errors)
    ending.total, ending.problems = asyncio.run(_look(path))
    return ending


def _death(process: subprocess.Popen[str]) -> str:
    """The signal that a process died of by itself."""
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(0.2)
        return signal.Signals(-code).name if code < 0 else ""
    return ""


def _totals(lines: Iterator[str]) -> list[int]:
    """What was said between the last line that was read and the kill."""
    whole = [line.split() for line in lines if line.endswith("\n")]
    return [int(words[1]) for words in whole if words[0] == "total"]


async def _look(path: Path) -> tuple[int, tuple[str, ...]]:
    async with System(path, actors=[REGION]) as system:
        problems = (await system.kernel.store.verify()).problems
        return await system.ref(Till, "a").ask(Add(0)), problems


OPENER = """
import asyncio, os, resource, sys
from pathlib import Path
from choragus.supervision import System
from till import REGION, Add, Till

async def open_with(files):
    async with System(sys.argv[1] + "-before", actors=[REGION]):
        pass  # what is imported late is imported now
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + files, 4096))
    try:
        async with System(sys.argv[1], actors=[REGION]) as system:
            await system.ref(Till, "a").ask(Add(1))
            return "open"
    except Exception as error:
        return f"{type(error).__module__}.{type(error).__name__}: {error}"

print(asyncio.run(open_with(int(sys.argv[2]))), flush=True)
os._exit(0)
"""


def opened_with(path: Path, files: int) -> str:
    """What opening a new file says to a process that may open so many more files than one."""
    paths = os.pathsep.join([str(Path(till.__file__).parent), *sys.path])
    command = [sys.executable, "-c", OPENER, str(path), str(files)]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, text=True, capture_output=True, check=True)
    return done.stdout.strip()


@contextmanager
def small_disk() -> Iterator[Path | None]:
    """A file system of 3 MB; None where nobody may mount one."""
    with tempfile.TemporaryDirectory() as folder:
        mounting = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={TMPFS}", "tmpfs", folder], capture_output=True, check=False
        )
        if mounting.returncode:
            yield None
            return
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def filled(folder: Path, *, lines: int = 100_000) -> Ending:
    """A till on a disk that gets full; then somebody makes room."""
    ballast = folder / "ballast"
    ballast.write_bytes(bytes(TMPFS // 2))
    path = folder / "a.db"
    ending = Ending()
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with (
        tempfile.TemporaryFile("w+") as err,
        subprocess.Popen(
            [sys.executable, till.__file__, str(path)], env=environment, text=True, stdout=subprocess.PIPE, stderr=err
        ) as process,
    ):
        assert process.stdout is not None
        for number, line in enumerate(process.stdout):
            kind, _, text = line.strip().partition(" ")
            if kind == "total":
                ending.told = int(text)
            else:
                ending.errors = (*ending.errors, text) if kind == "error" else ending.errors
                ending.ended = text if kind == "ended" else ending.ended
            if number > lines or len(ending.errors) > 3:
                break
        process.kill()
        ending.told = max([ending.told, *_totals(process.stdout)])
    ballast.unlink()
    ending.total, ending.problems = asyncio.run(_look(path))
    return ending


LIMITS = {
    "memory: 30 MB more than at the start, handlers want 60": ("RLIMIT_AS", str(30 * MEGABYTE)),
    "open files: as many as are open": ("RLIMIT_NOFILE", "3"),
    "file size: the disk is full at 600 kB": ("RLIMIT_FSIZE", "600000"),
}


def rows(quick: bool) -> list[Seen]:
    """One limit after the other; with more values when there is time."""
    found: list[Seen] = []
    for what, (kind, value) in LIMITS.items():
        values = [value] if quick else [str(int(int(value) * part)) for part in (1.0, 1.13, 1.5, 2.0, 3.0)]
        endings: list[Ending] = []
        for one in values:
            with tempfile.TemporaryDirectory() as folder:
                endings.append(starved(Path(folder, "a.db"), kind, one, lines=100 if quick else 2000))
        found.append(_row(what, endings))
    with small_disk() as folder:
        if folder is not None:
            found.append(_row("a disk of 3 MB that gets full", [filled(folder)]))
    return found


def _row(what: str, endings: list[Ending]) -> Seen:
    names = sorted({error.partition(":")[0] for ending in endings for error in (*ending.errors, ending.ended) if error})
    totals = ", ".join(f"{ending.told} told, {ending.total} on disk" for ending in endings)
    return Seen(
        fault=what,
        points=len(endings),
        promised="who asks gets a typed error; what was told is on disk, whole; the file opens again and verifies",
        broken=tuple(sentence for ending in endings for sentence in ending.broken),
        seen=f"{totals}; {', '.join(names) or 'no error'}",
    )
