"""The order of a mailbox: messages in that of their coming, timers among themselves in that of their time. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(mail: Sequence[T], is_timer: Callable[[T], bool], timers: Callable[[int], Iterable[T]]) -> list[T]:
    """The first messages of a mailbox in the order in which they are handled.

    A timer's place is where it was set: nothing that came before waits for it, and it waits for nothing that came
    behind. Timers that are due at once, after a long sleep say, fill the places of timers in the order of their time.

    Args:
        mail: what is due, in the order of its coming.
        timers: gives the first so many timers of the mailbox that are due, in the order of their time.

    >>> in_turn(["a", "9 o'clock", "b", "8 o'clock"], lambda one: "o" in one, lambda n: ["8 o'clock", "9 o'clock"][:n])
    ['a', "8 o'clock", 'b', "9 o'clock"]
    """
    ordered = list(mail)
    places = [place for place, one in enumerate(mail) if is_timer(one)]
    found = list(timers(len(places))) if places else []
    if len(found) == len(places):  # fewer come of an index that is damaged
        for place, timer in zip(places, found, strict=True):
            ordered[place] = timer
    return ordered
