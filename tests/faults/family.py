"""The families of faults: each a function that gives rows, in a module of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import attrs

from .row import Row


@attrs.frozen(kw_only=True)
class Extent:
    """How much is tried.

    Args:
        points: about how many points each family may try; the quick form has some dozens.
        library: the compiled interposer.
        folder: for scratch files.
        servers: how many trials run at a time.
        seed: of what is drawn.
    """

    points: int
    library: Path
    folder: Path
    servers: int = 1
    seed: int = 0


Family = Callable[[Extent], Iterable[Row]]

FAMILIES: dict[str, Family] = {}


def family(name: str) -> Callable[[Family], Family]:
    """Enter a family into the table under this name."""

    def enter(function: Family) -> Family:
        if name in FAMILIES:
            raise ValueError(f"two families of faults are named {name!r}: rename one")
        FAMILIES[name] = function
        return function

    return enter


def rows(extent: Extent, only: Iterable[str] = ()) -> Iterator[Row]:
    """The rows of every family, or of those named.

    Raises:
        LookupError: when one is named that there is none of.
    """
    wanted = list(only) or list(FAMILIES)
    for name in wanted:
        if name not in FAMILIES:
            raise LookupError(f"no family of faults is named {name!r}: there are {', '.join(FAMILIES)}")
        yield from FAMILIES[name](extent)


def processors() -> int:
    """How many trials a machine runs at a time."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
