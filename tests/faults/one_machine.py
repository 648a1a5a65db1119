"""The families of one machine's faults: its clock, others at the file, what runs out, what rots."""

from __future__ import annotations

from collections.abc import Iterable

from . import contention, rot, starvation, time_jump
from .family import Extent, family
from .row import Row

QUICK = 100
"""Fewer points than this ask for the quick form."""


@family("clock")
def clock(extent: Extent) -> Iterable[Row]:
    """The wall clock jumps."""
    return time_jump.rows(extent.points < QUICK)


@family("contention")
def others(extent: Extent) -> Iterable[Row]:
    """Other processes hold locks and read."""
    return contention.rows(extent.points < QUICK)


@family("starvation")
def limits(extent: Extent) -> Iterable[Row]:
    """Memory, open files and room run out."""
    return starvation.rows(extent.points < QUICK)


@family("rot")
def damage(extent: Extent) -> Iterable[Row]:
    """Logs are cut, bits flip."""
    return rot.rows(extent.points < QUICK)
