"""Errors of the disk: a call that fails once or from then on, a short write, a flush that fails."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from .family import Extent, family
from .interposer import FOR_EVER, Kind, Mode, Shot
from .kills import WORKLOADS, row_of, spread
from .row import Row
from .stand import Stand
from .trial import Plan

PROMISED = "one error of ours, or waits, says so and goes on; then all as undisturbed, nothing acknowledged lost"


@attrs.frozen(kw_only=True)
class IoError:
    """A fault, and at which calls it makes sense."""

    fault: str
    mode: Mode
    kinds: Kind
    lasting: int = 1


A_WHILE = 6
"""Calls for which a disk fails that is then repaired: some tries of a commit."""

ERRORS = (
    IoError(fault="EIO at a write", mode=Mode.EIO, kinds=Kind.WRITE),
    IoError(fault="EIO at some calls in a row", mode=Mode.EIO, kinds=Kind.ANY, lasting=A_WHILE),
    IoError(fault="EIO from then on", mode=Mode.EIO, kinds=Kind.ANY, lasting=FOR_EVER),
    IoError(fault="EIO at a flush", mode=Mode.EIO, kinds=Kind.SYNC),
    IoError(fault="EIO at some flushes in a row", mode=Mode.EIO, kinds=Kind.SYNC, lasting=A_WHILE),
    IoError(fault="EIO at an open, unlink or rename", mode=Mode.EIO, kinds=Kind.NAME),
    IoError(fault="EIO at a truncation", mode=Mode.EIO, kinds=Kind.SIZE),
    IoError(fault="ENOSPC once", mode=Mode.ENOSPC, kinds=Kind.WRITE),
    IoError(fault="ENOSPC for a while", mode=Mode.ENOSPC, kinds=Kind.WRITE, lasting=A_WHILE),
    IoError(fault="ENOSPC from then on", mode=Mode.ENOSPC, kinds=Kind.WRITE, lasting=FOR_EVER),
    IoError(fault="EDQUOT once", mode=Mode.EDQUOT, kinds=Kind.WRITE),
    IoError(fault="EDQUOT from then on", mode=Mode.EDQUOT, kinds=Kind.WRITE, lasting=FOR_EVER),
    IoError(fault="a short write", mode=Mode.SHORT, kinds=Kind.WRITE),
)

GIVES_UP = 1.5
"""Seconds until the operator of a system whose disk stays as it is kills it."""


def plans(error: IoError, calls: int, most: int) -> Iterator[Plan]:
    """The fault at each of at most so many calls of its kinds."""
    gives_up = GIVES_UP if error.lasting == FOR_EVER else None
    for at in spread(calls, most):
        yield Plan(lives=((Shot(at, error.mode, error.lasting),),), kinds=error.kinds, gives_up=gives_up)


@family("errors")
def errors(extent: Extent) -> Iterator[Row]:
    """Every error at a sample of the calls."""
    share = max(1, extent.points // (len(WORKLOADS) * (len(ERRORS) + 2)))
    for workload in WORKLOADS:
        with Stand(workload, extent.library, extent.servers) as stand:
            counts = {kinds: stand.count(kinds) for kinds in {error.kinds for error in ERRORS}}
            for error in ERRORS:
                if counts[error.kinds]:
                    yield row_of(stand, error.fault, plans(error, counts[error.kinds], share), PROMISED)
            for mode in (Mode.EIO, Mode.ENOSPC) if workload.goes_on else ():
                failed = failed_then_killed(counts[Kind.WRITE], share, mode)
                yield row_of(stand, f"{mode.name} at a write, SIGKILL 1 to 40 writes later", failed, PROMISED)


def failed_then_killed(calls: int, most: int, mode: Mode) -> Iterator[Plan]:
    """A commit that fails, and a kill in what the process does about it, or in the next one."""
    for number, at in enumerate(spread(calls, most)):
        behind = 1 + (7 * number) % 40
        here = Shot(at + behind, Mode.KILL)
        yield Plan(lives=((Shot(at, mode), here), (Shot(behind, Mode.KILL),)), kinds=Kind.WRITE)
