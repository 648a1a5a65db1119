"""Which ready callback runs next: pure, but for the random numbers that it is given.

What may change places, and why that is fair:

- The steps of different tasks. asyncio says nothing about which of two ready tasks goes first (eager tasks, uvloop and
  the next release do it differently), so correct code cannot depend on it.
- A task's step and an unrelated plain callback, for the same reason.
- Timers due at the same instant: asyncio leaves their order open.

What keeps its order:

- Plain callbacks (`call_soon`, done callbacks, timers that have come due) among themselves: "callbacks are called in
  the order in which they are registered" is a promise of asyncio's, and its transports and anyio's scopes rely on it.
- All callbacks of one future, task wake-ups included: whoever was registered first is told first.
- The steps of one task, of which at most one is ready at a time.

Tasks are told apart by the order in which they were first seen, not by address, so that a set of tasks that somebody
iterates (`asyncio.wait`, a scope's tasks) does not make a run differ from the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import count, islice
from random import Random
from weakref import WeakKeyDictionary

WINDOW = 64
"""How far back in the queue a callback may be preferred."""

STEPS = frozenset({"task_wakeup", "__wakeup", "__step", "TaskStepMethWrapper"})


class Order:
    """One run's choices: 0 is asyncio's own first in, first out; every other seed is an order of its own."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._fifo = seed == 0
        self._numbers: WeakKeyDictionary[asyncio.Task[object], int] = WeakKeyDictionary()
        self._count = count(1)

    def choose(self, ready: Iterable[asyncio.Handle]) -> int:
        """The index of the handle to run."""
        if self._fifo:
            return 0
        candidates: list[tuple[int, int]] = []
        seen: set[asyncio.Future[object]] = set()
        plain = False
        for index, handle in enumerate(islice(ready, WINDOW)):
            task, future = task_of(handle), _future_of(handle)
            number = 0 if task is None else self._number(task)
            held = (task is None and plain) or future in seen
            plain = plain or task is None
            if future is not None:
                seen.add(future)
            if not held:
                candidates.append((number, index))
        candidates.sort()
        return self._random.choice(candidates)[1]

    def shuffled(self, timers: list[asyncio.TimerHandle]) -> list[asyncio.TimerHandle]:
        """Timers of the same instant, in the order in which they ring."""
        if not self._fifo:
            self._random.shuffle(timers)
        return timers

    def _number(self, task: asyncio.Task[object]) -> int:
        number = self._numbers.get(task)
        if number is None:
            number = self._numbers[task] = next(self._count)
        return number


def task_of(handle: asyncio.Handle) -> asyncio.Task[object] | None:
    """The task whose step this is; None for a plain callback, also for one that is a task's method."""
    callback: object = getattr(handle, "_callback", None)
    owner: object = getattr(callback, "__self__", None)
    name = getattr(callback, "__name__", type(callback).__name__)
    return owner if isinstance(owner, asyncio.Task) and name in STEPS else None


def _future_of(handle: asyncio.Handle) -> asyncio.Future[object] | None:
    """The future that this is a callback of."""
    arguments: tuple[object, ...] = getattr(handle, "_args", None) or ()
    first = arguments[0] if arguments else None
    return first if isinstance(first, asyncio.Future) else None
