"""Power losses: the log of a run is stopped anywhere, and disks are built as they could look then, and opened."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import attrs

from choragus.mailbox.file import Synchronous
from choragus.supervision.testing.fork_server import ForkServer

from .disk import Disk
from .family import Extent, family
from .interposer import Kind, Mode, Shot, preloaded
from .journal import Done, read
from .payments import PAYMENTS, Found, look, payments
from .row import Row
from .stand import shared_folder
from .trial import DATABASE, Plan, shot_at, try_out

LOGGED = Plan(log=True)

LYING = Plan(lives=((Shot(1, Mode.LIE, from_then_on=True),),), kinds=Kind.SYNC, log=True)
"""A disk that reports every flush as done and does none of them."""


@attrs.frozen(kw_only=True)
class Image:
    """What was found on one disk, and what had been acknowledged when the power failed."""

    stop: int
    number: int
    acknowledged: int
    found: Found

    @property
    def lost(self) -> int:
        """How many acknowledged payments are not there; of a file that cannot be read nothing is known."""
        return 0 if self.is_corrupt else max(0, self.acknowledged - self.found.total)

    @property
    def is_corrupt(self) -> bool:
        """Whether the file was refused, or does not verify, or half a turn is there, or more than was ever sent."""
        found = self.found
        is_whole = found.total == found.lines == found.shown
        return bool(found.problem) or not is_whole or found.total > self.acknowledged + 1

    def __str__(self) -> str:
        return f"after call {self.stop}, image {self.number}: {self.acknowledged} acknowledged, {self.found}"


def record(
    library: Path, folder: Path, synchronous: Synchronous, plan: Plan = LOGGED, paid: int = PAYMENTS
) -> list[Done]:
    """The calls of one undisturbed run."""
    logs = folder / "server"
    logs.mkdir(parents=True)
    scenario = partial(shot_at, scenario=partial(payments, synchronous=synchronous, paid=paid))
    with preloaded(library), ForkServer(scenario, logs / "log") as server:
        seen = try_out(server, folder / "run", plan, keep=True)
    assert seen.lives[0].code == 0, seen.lives[0].error
    return list(read(folder / "run" / "calls.log"))


def look_at_images(calls: Sequence[Done], numbers: Sequence[int], seed: int, folder: Path) -> list[Image]:
    """Stop before as many calls as there are numbers, and look at one image of each.

    Args:
        numbers: of the images; each with the seed decides where it stops and what is lost.
    """
    stops = sorted((random.Random(f"{seed} {number}").randint(0, len(calls)), number) for number in numbers)
    images: list[Image] = []
    disk = Disk()
    done = 0
    for stop, number in stops:
        for call in calls[done:stop]:
            disk.do(call)
        done = stop
        images.append(_look_at(disk, stop, number, seed, folder / str(number)))
    return images


def _look_at(disk: Disk, stop: int, number: int, seed: int, folder: Path) -> Image:
    folder.mkdir(parents=True)
    try:
        for name, content in disk.image(random.Random(f"{seed} {number} image")).items():
            if not name.endswith("-shm"):  # nobody relies on it after a restart of the machine
                (folder / Path(name).name).write_bytes(content)
        found = asyncio.run(look(folder / DATABASE))
        return Image(stop=stop, number=number, acknowledged=disk.acknowledged, found=found)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def images(extent: Extent, synchronous: Synchronous, most: int, plan: Plan = LOGGED) -> list[Image]:
    """So many images of one run, in as many processes as are wanted."""
    with tempfile.TemporaryDirectory(dir=shared_folder()) as folder:
        calls = record(extent.library, Path(folder) / "recorded", synchronous, plan)
        look_at = partial(look_at_images, calls, seed=extent.seed, folder=Path(folder))
        if extent.servers == 1:
            return look_at(range(most))
        with multiprocessing.get_context("spawn").Pool(extent.servers) as pool:
            shares = pool.map(look_at, [range(part, most, extent.servers) for part in range(extent.servers)])
        return [image for share in shares for image in share]


def _row(fault: str, promised: str, seen: list[Image], expected: str = "") -> Row:
    bad = [image for image in seen if image.lost or image.is_corrupt]
    return Row(
        fault=fault,
        points=len(seen),
        promised=promised,
        lost=sum(image.lost > 0 for image in seen),
        noticed=sum(bool(image.found.problem) for image in seen) or None,
        broken=tuple(map(str, bad)),
        expected=expected,
    )


@family("power")
def power(extent: Extent) -> Iterator[Row]:
    """With FULL nothing that was acknowledged is lost; with less the same judge sees losses."""
    few = max(20, extent.points // 20)
    yield _row(
        "power loss, synchronous=FULL",
        "nothing acknowledged lost, nothing corrupt, no half turn",
        images(extent, "FULL", extent.points),
    )
    yield _row(
        "power loss, synchronous=NORMAL",
        "nothing corrupt; the last commits may be lost",
        images(extent, "NORMAL", few),
        "the judge sees them",
    )
    yield _row(
        "power loss on a disk that lies about flushes",
        "nothing",
        images(extent, "FULL", few, LYING),
        "nobody can do better",
    )


def summary(seen: Sequence[Image]) -> Counter[str]:
    """How many images were whole, had lost something, or were corrupt."""
    return Counter("corrupt" if one.is_corrupt else "lost" if one.lost else "whole" for one in seen)
