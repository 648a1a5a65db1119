"""Kills: before a storage call or in the middle of it, once or twice, at every call."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from tests.scenarios.forking import forking

from .clerk import TOLD, errand
from .family import Extent, family
from .interposer import Mode, Shot
from .person import is_told_of
from .row import Row
from .shipment import INTERRUPTED, shipments
from .stand import Stand, Workload
from .trial import Plan
from .upkeep import upkeep
from .visitor import visited

ACTORS = Workload(name="actors", scenario=shipments, allowed=INTERRUPTED)
AGENT = Workload(name="agent", scenario=errand, allowed=TOLD)
FORK = Workload(name="fork", scenario=partial(forking, told=is_told_of), allowed=TOLD)
UPKEEP = Workload(name="upkeep", scenario=upkeep)
VISITOR = Workload(name="visitor", scenario=visited, goes_on=False)
WORKLOADS = (ACTORS, AGENT, FORK, UPKEEP, VISITOR)

PROMISED = "outcome, world and logbook as undisturbed; unknown where an irreversible call was interrupted"


def spread(last: int, most: int) -> Sequence[int]:
    """At most so many numbers from 1 to `last`, evenly."""
    most = min(most, last)
    return [1 + (2 * step + 1) * last // (2 * most) for step in range(most)]


def singles(calls: int, mode: Mode, most: int) -> Iterator[Plan]:
    """One kill at each of at most so many calls."""
    return (Plan(lives=((Shot(at, mode),),)) for at in spread(calls, most))


def pairs(calls: int, most: int, seed: int) -> Iterator[Plan]:
    """A kill, and a second one in the recovery; half of them while the file is being taken over."""
    chance = random.Random(seed)
    for number in range(most):
        first = chance.randint(1, calls)
        second = chance.randint(1, 60 if number % 2 else calls)
        modes = chance.choices([Mode.KILL, Mode.TORN], k=2)
        yield Plan(lives=((Shot(first, modes[0]),), (Shot(second, modes[1]),)))


def row_of(stand: Stand, fault: str, plans: Iterable[Plan], promised: str = PROMISED, hits: int = 1) -> Row:
    """Carry the plans out and count; a plan whose shots did not all come to pass is no point."""
    again = lost = stuck = settled = points = noticed = 0
    broken: list[str] = []
    for seen in stand.run_all(plans):
        points += len(seen.hits) >= hits
        again += seen.run_again
        settled += seen.settled
        stuck += seen.is_stuck
        noticed += seen.is_noticed
        found = stand.broken(seen)
        lost += any("never happened" in one or "acknowledged and lost" in one for one in found)
        broken += found
    return Row(
        fault=f"{fault} ({stand.workload.name})",
        points=points,
        promised=promised,
        again=again,
        lost=lost,
        stuck=stuck,
        settled=settled,
        noticed=noticed if noticed else None,
        broken=tuple(broken),
    )


@family("kills")
def kills(extent: Extent) -> Iterator[Row]:
    """Every call in turn, in two ways, and two in a row."""
    share = max(1, extent.points // (3 * len(WORKLOADS) - 1))
    for workload in WORKLOADS:
        with Stand(workload, extent.library, extent.servers) as stand:
            yield row_of(stand, "SIGKILL before a call", singles(stand.calls, Mode.KILL, share))
            yield row_of(stand, "SIGKILL in the middle of a call", singles(stand.calls, Mode.TORN, share))
            if workload.goes_on:
                yield row_of(stand, "two kills", pairs(stand.calls, share, extent.seed), hits=2)
