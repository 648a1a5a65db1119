"""A handler that blocks the event loop is named while it does: actor, message and stack.

The loop counts its turns, and a thread looks at the count, each four times per threshold. When it stands still for the
threshold the loop is blocked, and whoever runs at that moment is named.

What is reported is that the loop did not turn for so long. Mostly one handler waits or computes. It may also be many
in a row, as a worker handles up to 256 messages before it lets the loop turn; the one named is then the one at work
when the time was up. Not told apart from a handler that blocks: a machine so busy that the loop's thread gets no time.

A call that computes without letting other threads run (a regular expression that explodes, a sort) holds up this
thread too: it is named when it is over, and on Linux only, where the time that a thread computes can be seen from
outside. Such a call in another thread, or one that does not compute, looks like a process that was stopped, and is not
reported.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import attrs

from .event import Event, Events, logger
from .stack import is_in_machinery, stack_of
from .stopwatch import Stopwatch, computed_by

SHORTEST = 0.02
"""Seconds of the smallest threshold; below it, the switches between two threads would be what is measured."""

FAREWELL = 1.0
"""Seconds that the end of a system waits for the thread, should it be busy with a log handler."""

Look = Callable[[asyncio.Task[object]], tuple[str, str] | None]
"""The path of the actor that a task runs now and the type name of its message; None: no actor."""


@attrs.frozen
class Watchdog:
    """How long a handler may block the event loop until it is reported, by the logger `choragus` and as `LoopBlocked`.

    Args:
        threshold: seconds that the loop may go without turning. With 1.0, what blocks it is reported 1.0 to 1.5 s after
            it began, and what ends sooner is not. The loop wakes four times per threshold for it.

    Raises:
        ValueError: when the threshold is below 0.02 or not finite.
    """

    threshold: float = attrs.field(default=1.0)

    @threshold.validator
    def _check(self, _: object, threshold: float) -> None:
        if not isinstance(threshold, int | float) or not SHORTEST <= threshold < float("inf"):
            raise ValueError(
                f"Watchdog(threshold={threshold!r}) takes finite seconds, {SHORTEST:g} at least; "
                "System(watchdog=None) is without one"
            )


@attrs.frozen
class LoopBlocked(Event):
    """The event loop could not turn; published as soon as it does again.

    Attributes:
        actor: the path of the actor at work; empty outside any actor.
        message: the type name of its message; outside any actor the name of the task, empty for a plain callback.
        seconds: how long in all, to within a quarter of the threshold.
        stack: where it was when the threshold was over, the handler first, as a traceback shows it.
    """

    message: str
    seconds: float
    stack: str = attrs.field(repr=lambda stack: f"<{len(stack.splitlines())} lines>")


class WatchdogThread:
    """The thread that watches one running loop; made, started and closed on the loop's own thread.

    The loop counts its turns by a timer, and the thread looks whether the count goes on. That a look comes late says
    nothing by itself: a loop that turns often may keep the interpreter from other threads for long.
    """

    def __init__(self, watchdog: Watchdog, loop: asyncio.AbstractEventLoop, look: Look, events: Events) -> None:
        self._threshold = watchdog.threshold
        self._step = watchdog.threshold / 4
        self._loop = loop
        self._look = look
        self._events = events
        self._turns = 0
        self._timer = loop.call_later(self._step, self._turn)
        self._known = 0
        self._blocked = 0.0
        self._seen: LoopBlocked | None = None
        self._watched = threading.get_ident()
        self._stopwatch = Stopwatch(time.monotonic, computed_by(self._watched))
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="choragus:watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. What has been reported as blocked is reported as over, before that."""
        self._timer.cancel()
        self._closed.set()
        self._thread.join(FAREWELL)

    def _turn(self) -> None:
        """Called by the loop, when it turns."""
        self._turns += 1
        self._timer = self._loop.call_later(self._step, self._turn)

    # On the thread.

    def _run(self) -> None:
        while not (self._closed.wait(self._step) or self._loop.is_closed()):
            _guarded(self._check)
        _guarded(self._over)

    def _check(self) -> None:
        passed = self._stopwatch.lap(2 * self._step)
        if self._turns != self._known or not self._loop.is_running():
            self._known = self._turns
            self._blocked += passed
            self._over()
            return
        self._blocked += passed
        if self._seen is None and self._blocked >= self._threshold + self._step:
            self._report()

    def _report(self) -> None:
        try:
            self._seen = seen = self._see()
        finally:
            if self._seen is None:
                self._blocked = 0.0
        if seen is not None:
            logger.warning(
                "the event loop has been blocked for %.3g s: %s, and nothing else runs. Await, or move the work to a "
                'thread (@handle(blocking="thread"), or asyncio.to_thread). It is here:\n%s',
                seen.seconds,
                _who(seen),
                seen.stack,
            )

    def _see(self) -> LoopBlocked | None:
        """Who is at work now, and where; None when the loop waits, and so will turn."""
        task = asyncio.current_task(self._loop)
        if task is None and is_in_machinery(self._watched):
            return None
        stack = stack_of(self._watched)
        at_work = None if task is None else self._look(task)
        actor, message = at_work or ("", "" if task is None else task.get_name())
        return LoopBlocked(actor, message, self._blocked - self._step, stack)

    def _over(self) -> None:
        """The loop turns: tell it who blocked it."""
        seconds, self._blocked = self._blocked - self._step, 0.0
        seen, self._seen = self._seen, None
        if seen is not None:
            with suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._events.publish, attrs.evolve(seen, seconds=seconds))
            logger.warning("the event loop turns again; it was blocked for %.3g s: %s", seconds, _who(seen))


def _who(seen: LoopBlocked) -> str:
    if seen.actor:
        return f"{seen.actor} handles {seen.message}" if seen.message else seen.actor
    return f"outside any actor, in the task {seen.message}" if seen.message else "outside any actor, in a callback"


def _guarded(work: Callable[[], None]) -> None:
    """Do it; the thread outlives what it raises, also when that is the log handler."""
    try:
        work()
    except Exception:
        try:
            logger.exception("the watchdog could not look at the event loop; it goes on")
        except Exception as error:
            threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))
