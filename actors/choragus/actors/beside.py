"""Reentrant handlers: they run beside the other messages of their actor, because it says so."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Protocol


class Seat(Protocol):
    """The cell, as far as it runs handlers beside its messages."""

    def run_beside(self, work: Coroutine[object, None, object]) -> None:
        """Go on with the next message; the reply to this one comes when the work is done."""
        ...


class Resident(Protocol):
    """An actor in its cell."""

    _choragus_cell: Seat


def beside(function: Callable[..., Coroutine[object, None, object]]) -> Callable[..., None]:
    """The handler as a function that has it run beside the messages."""

    @functools.wraps(function)
    def begin(actor: Resident, message: object) -> None:
        actor._choragus_cell.run_beside(function(actor, message))

    return begin
