"""A durable library, as far as it is measured beside us: steps of plans, messages of a queue, bytes on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import attrs
from benchmarks.target import Target

Work: TypeAlias = Callable[[Path, int, int], float]
"""In a folder, so many plans at once of so many steps each; gives back seconds for one step.

A queue is given one plan: so many messages.
"""
Growth: TypeAlias = Callable[[Path, int], float]
"""Bytes that a plan of so many steps adds to a file that was opened and closed."""


@attrs.frozen(kw_only=True)
class DurablePeer:
    """What it can do.

    Args:
        name: of its distribution.
        steps: runs plans; None for a queue.
        target: of the ratio of choragus's turns to its steps, or of messages, with many at once.
        queues: by what is set, seconds for one message.
        grown: bytes.
        notes: how it does that.
    """

    name: str
    steps: Work | None = None
    target: Target | None = None
    queues: dict[str, tuple[Callable[[Path, int], float], Target | None]] = attrs.field(factory=dict)
    grown: Growth | None = None
    notes: tuple[str, ...] = ()
