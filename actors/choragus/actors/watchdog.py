"""A handler that blocks the event loop is named while it does: actor, message and stack.

A thread looks at the loop a few times per threshold. While the loop waits it is left alone. When it is seen at work, it
is asked for a sign of life, which costs it one callback; without one for the whole threshold it is blocked, and whoever
runs at that moment is named.

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

import attrs

from .event import Event, Events, logger
from .stack import is_in_machinery, stack_of
from .stopwatch import Stopwatch, computed_by

SHORTEST_PAUSE = 0.02
"""Seconds between two looks at least, however small the threshold."""

FAREWELL = 1.0
"""Seconds that the end of a system waits for the thread, should it be busy with a log handler."""

Look = Callable[[asyncio.Task[object]], tuple[str, str] | None]
"""The path of the actor that a task runs now and the type name of its message; None: no actor."""


@attrs.frozen
class Watchdog:
    """How long a handler may block the event loop until it is reported, by the logger `choragus` and as `LoopBlocked`.

    Args:
        threshold: seconds that the loop may go without turning. With 1.0, what blocks it is reported 1.0 to 1.3 s after
            it began, and what ends sooner is not.

    Raises:
        ValueError: when the threshold is not above 0 and finite.
    """

    threshold: float = attrs.field(default=1.0)

    @threshold.validator
    def _check(self, _: object, threshold: float) -> None:
        if not 0 < threshold < float("inf"):
            raise ValueError(
                f"Watchdog(threshold={threshold!r}) takes finite seconds above 0; System(watchdog=None) is without one"
            )


@attrs.frozen
class LoopBlocked(Event):
    """The event loop could not turn; published as soon as it does again.

    Attributes:
        actor: the path of the actor at work; empty outside any actor.
        message: the type name of its message; outside any actor the name of the task, empty for a plain callback.
        seconds: how long in all, at least.
        stack: where it was when the threshold was over, the handler first, as a traceback shows it.
    """

    message: str
    seconds: float
    stack: str = attrs.field(repr=lambda stack: f"<{len(stack.splitlines())} lines>")


class WatchdogThread:
    """The thread that watches one running loop; made and started on the loop's own thread."""

    def __init__(self, watchdog: Watchdog, loop: asyncio.AbstractEventLoop, look: Look, events: Events) -> None:
        self._threshold = watchdog.threshold
        self._step = watchdog.threshold / 4
        self._pause = max(self._step, SHORTEST_PAUSE)
        self._loop = loop
        self._look = look
        self._events = events
        self._watched = threading.get_ident()
        self._stopwatch = Stopwatch(time.monotonic, computed_by(self._watched))
        self._beat = threading.Event()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="choragus:watchdog", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread. A report of what has just blocked is still made."""
        self._closed.set()
        self._beat.set()
        self._thread.join(FAREWELL)

    def _run(self) -> None:
        while not (self._closed.wait(self._pause) or self._loop.is_closed()):
            try:
                self._watch(self._stopwatch.lap(0.0) - self._pause)
            except Exception:
                if not self._loop.is_closed():
                    _complain()
            self._stopwatch.lap(0.0)

    def _watch(self, held: float) -> None:
        """Look once, and stay while the loop is blocked.

        Args:
            held: seconds by which the pause was too long because the loop's thread computed and let no other run.
        """
        if asyncio.current_task(self._loop) is None and is_in_machinery(self._watched):
            return
        self._beat.clear()
        if self._closed.is_set():  # from here on `close` would keep the loop from answering
            return
        self._loop.call_soon_threadsafe(self._beat.set)
        blocked = held if held >= self._threshold else 0.0
        while blocked < self._threshold:
            if self._beat.wait(self._step) or self._loop.is_closed():
                return
            blocked += self._lap()
        self._report(blocked)

    def _report(self, blocked: float) -> None:
        stack = stack_of(self._watched)  # first of all: it goes on
        actor, message = self._at_work()
        who = _who(actor, message)
        logger.warning(
            "the event loop has been blocked for %.3g s: %s, and nothing else runs. Await, or move the work to a "
            "thread (asyncio.to_thread). It is here:\n%s",
            blocked,
            who,
            stack,
        )
        while not self._beat.wait(self._step):
            blocked += self._lap()
            if self._loop.is_closed():
                return
        blocked += self._lap()
        logger.warning("the event loop turns again; it was blocked for %.3g s: %s", blocked, who)
        self._loop.call_soon_threadsafe(self._events.publish, LoopBlocked(actor, message, blocked, stack))

    def _lap(self) -> float:
        """Seconds that the loop ran since the last lap; none while it is stopped, between two calls of `run`."""
        seconds = self._stopwatch.lap(2 * self._step)
        return seconds if self._loop.is_running() else 0.0

    def _at_work(self) -> tuple[str, str]:
        task = asyncio.current_task(self._loop)
        if task is None:
            return "", ""
        return self._look(task) or ("", task.get_name())


def _who(actor: str, message: str) -> str:
    if actor:
        return f"{actor} handles {message}" if message else actor
    return f"outside any actor, in the task {message}" if message else "outside any actor, in a callback"


def _complain() -> None:
    """Say that a look failed; the log handler may be the one that fails."""
    try:
        logger.exception("the watchdog could not look at the event loop; it goes on")
    except Exception as error:
        threading.excepthook(threading.ExceptHookArgs((type(error), error, error.__traceback__, None)))
