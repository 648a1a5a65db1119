"""Errors of the disk: a call that fails once or from then on, a short write, a flush that fails."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from .family import Extent, family
from .interposer import Kind, Mode, Shot
from .kills import WORKLOADS, row_of, spread
from .row import Row
from .stand import Stand
from .trial import Plan

PROMISED = "one error that is ours, or goes on; after plain restarts all as undisturbed, nothing acknowledged lost"


@attrs.frozen(kw_only=True)
class IoError:
    """A fault, and at which calls it makes sense."""

    fault: str
    mode: Mode
    kinds: Kind
    from_then_on: bool = False


ERRORS = (
    IoError(fault="EIO at a write", mode=Mode.EIO, kinds=Kind.WRITE),
    IoError(fault="EIO at a write, and at all later calls", mode=Mode.EIO, kinds=Kind.ANY, from_then_on=True),
    IoError(fault="EIO at a flush", mode=Mode.EIO, kinds=Kind.SYNC),
    IoError(fault="EIO at every flush from then on", mode=Mode.EIO, kinds=Kind.SYNC, from_then_on=True),
    IoError(fault="EIO at an open, unlink or rename", mode=Mode.EIO, kinds=Kind.NAME),
    IoError(fault="EIO at a truncation", mode=Mode.EIO, kinds=Kind.SIZE),
    IoError(fault="ENOSPC once", mode=Mode.ENOSPC, kinds=Kind.WRITE),
    IoError(fault="ENOSPC from then on", mode=Mode.ENOSPC, kinds=Kind.WRITE, from_then_on=True),
    IoError(fault="EDQUOT once", mode=Mode.EDQUOT, kinds=Kind.WRITE),
    IoError(fault="EDQUOT from then on", mode=Mode.EDQUOT, kinds=Kind.WRITE, from_then_on=True),
    IoError(fault="a short write", mode=Mode.SHORT, kinds=Kind.WRITE),
)


def plans(error: IoError, calls: int, most: int) -> Iterator[Plan]:
    """The fault at each of at most so many calls of its kinds."""
    for at in spread(calls, most):
        yield Plan(lives=((Shot(at, error.mode, error.from_then_on),),), kinds=error.kinds)


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
