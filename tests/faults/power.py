"""Power losses: the log of a run is stopped anywhere, and disks are built as they could look then, and opened."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from choragus.supervision.testing.fork_server import ForkServer
from choragus.supervision.testing.order import Scenario

from .disk import Disk
from .family import Extent, family
from .forked import forked
from .forked import look as look_at_fork
from .interposer import FOR_EVER, Kind, Mode, Shot, preloaded
from .journal import Done, What, read
from .payments import look as look_at_payments
from .payments import payments
from .row import Row
from .stand import shared_folder
from .trial import DATABASE, Plan, shot_at, try_out
from .upkeep import look as look_at_upkeep
from .upkeep import upkeep
from .verdict import Verdict

LOGGED = Plan(log=True)

BEHIND = 200
"""Calls behind the last failed flush, some six commits, in which the power fails."""

LYING = Plan(lives=((Shot(1, Mode.LIE, FOR_EVER),),), kinds=Kind.SYNC, log=True)
"""A disk that reports every flush as done and does none of them."""


Look = Callable[[Path, int], Awaitable[Verdict]]
"""Opens what was left of a database; gets what had been acknowledged when the power failed."""


@attrs.frozen(kw_only=True)
class Recorded:
    """A workload that acknowledges in the interposer's log, who judges what is left of it, and how it ran."""

    scenario: Scenario
    look: Look
    plan: Plan = LOGGED


PAID = Recorded(scenario=partial(payments, synchronous="FULL"), look=look_at_payments)
PAID_NORMAL = attrs.evolve(PAID, scenario=partial(payments, synchronous="NORMAL"))
PAID_LYING = attrs.evolve(PAID, plan=LYING)
KEPT = Recorded(scenario=upkeep, look=look_at_upkeep)
FORKED = Recorded(scenario=forked, look=look_at_fork)


@attrs.frozen(kw_only=True)
class Image:
    """What was found on one disk, and what had been acknowledged when the power failed."""

    stop: int
    number: int
    acknowledged: int
    verdict: Verdict

    @property
    def is_whole(self) -> bool:
        """Whether nothing is lost and nothing damaged."""
        return self.verdict == Verdict()

    def __str__(self) -> str:
        return f"after call {self.stop}, image {self.number}: {self.acknowledged} acknowledged, {self.verdict}"


def record(library: Path, folder: Path, workload: Recorded) -> list[Done]:
    """The calls of one undisturbed run."""
    logs = folder / "server"
    logs.mkdir(parents=True)
    scenario = partial(shot_at, scenario=workload.scenario)
    with preloaded(library), ForkServer(scenario, logs / "log") as server:
        seen = try_out(server, folder / "run", workload.plan, keep=True)
    assert seen.lives[0].code == 0, seen.lives[0].error
    return list(read(folder / "run" / "calls.log"))


def look_at_images(
    calls: Sequence[Done],
    look: Look,
    numbers: Sequence[int],
    seed: int,
    folder: Path,
    within: range | None = None,
    drops: bool = False,
) -> list[Image]:
    """Stop before as many calls as there are numbers, and look at one image of each.

    Args:
        numbers: of the images; each with the seed decides where it stops and what is lost.
        within: the stops, as numbers of calls that were made; all by default.
        drops: see `Disk`.
    """
    within = within or range(len(calls) + 1)
    stops = sorted((random.Random(f"{seed} {number}").choice(within), number) for number in numbers)
    images: list[Image] = []
    disk = Disk(drops=drops)
    done = 0
    for stop, number in stops:
        for call in calls[done:stop]:
            disk.do(call)
        done = stop
        content = disk.image(random.Random(f"{seed} {number} image"))
        verdict = _verdict(content, look, disk.acknowledged, folder / str(number))
        images.append(Image(stop=stop, number=number, acknowledged=disk.acknowledged, verdict=verdict))
    return images


def _verdict(content: Mapping[str, bytes], look: Look, acknowledged: int, folder: Path) -> Verdict:
    folder.mkdir(parents=True)
    try:
        for name, data in content.items():
            if not name.endswith("-shm"):  # nobody relies on it after a restart of the machine
                (folder / Path(name).name).write_bytes(data)
        return asyncio.run(_looked(look, folder / DATABASE, acknowledged))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _looked(look: Look, path: Path, acknowledged: int) -> Verdict:
    return await look(path, acknowledged)


def images(extent: Extent, workload: Recorded, most: int) -> list[Image]:
    """So many images of one run, in as many processes as are wanted."""
    with tempfile.TemporaryDirectory(dir=shared_folder()) as folder:
        calls = record(extent.library, Path(folder) / "recorded", workload)
        share = partial(look_at_images, calls, workload.look, seed=extent.seed, folder=Path(folder))
        if extent.servers == 1:
            return share(range(most))
        with multiprocessing.get_context("spawn").Pool(extent.servers) as pool:
            shares = pool.map(share, [range(part, most, extent.servers) for part in range(extent.servers)])
        return [image for share in shares for image in share]


def failing(number: int) -> Recorded:
    """A run in which one to six flushes in a row fail while it pays in."""
    shot = Shot(14 + 7 * number % 30, Mode.EIO, 1 + number % 6)
    plan = Plan(lives=((shot,),), kinds=Kind.SYNC, log=True)
    return attrs.evolve(PAID, scenario=partial(payments, synchronous="FULL", paid=60), plan=plan)


def images_behind_failures(extent: Extent, number: int, most: int) -> tuple[list[Image], list[Image]]:
    """So many images of such a run, from its first failed flush to some commits behind the last one.

    First on a disk that makes up for a failed flush with the next, then on one that dropped what it held.
    """
    with tempfile.TemporaryDirectory(dir=shared_folder()) as folder:
        workload = failing(number)
        calls = record(extent.library, Path(folder) / "recorded", workload)
        failed = [at for at, call in enumerate(calls) if call.what is What.FAILED]
        within = range(failed[0], min(len(calls), failed[-1] + BEHIND))
        look_at = partial(look_at_images, calls, workload.look, range(most), extent.seed, Path(folder), within=within)
        return look_at(drops=False), look_at(drops=True)


def _row(fault: str, promised: str, seen: list[Image], expected: str = "") -> Row:
    return Row(
        fault=f"power loss, {fault}",
        points=len(seen),
        promised=promised,
        lost=sum(image.verdict.lost > 0 for image in seen),
        noticed=sum(bool(image.verdict.problem) for image in seen) or None,
        broken=tuple(str(image) for image in seen if not image.is_whole),
        expected=expected,
    )


@family("power")
def power(extent: Extent) -> Iterator[Row]:
    """With FULL nothing that was acknowledged is lost; with less the same judge sees losses."""
    few = max(20, extent.points // 20)
    whole = "nothing acknowledged lost, nothing corrupt, no half turn"
    yield _row("synchronous=FULL", whole, images(extent, PAID, extent.points))
    yield _row("migration, pruning, backup, compaction", whole, images(extent, KEPT, extent.points // 4))
    yield _row("a run and its fork", whole, images(extent, FORKED, extent.points // 4))
    behind = [images_behind_failures(extent, number, 40) for number in range(max(1, few // 40))]
    for which, fault in enumerate(("flushes that failed", "flushes that failed and dropped what they held")):
        yield _row(f"after {fault}", whole, [image for both in behind for image in both[which]])
    normal = "nothing corrupt; the last commits may be lost"
    yield _row("synchronous=NORMAL", normal, images(extent, PAID_NORMAL, few), "the judge sees them")
    yield _row("a disk that lies about flushes", "nothing", images(extent, PAID_LYING, few), "nobody can do better")


def summary(seen: Sequence[Image]) -> Counter[str]:
    """How many images were whole, had lost something, or were corrupt."""
    return Counter("corrupt" if one.verdict.problem else "lost" if one.verdict.lost else "whole" for one in seen)
