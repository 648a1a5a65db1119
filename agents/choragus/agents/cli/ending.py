"""The end of a process that owns a file: asked for by a signal, or by somebody who drains it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from choragus.supervision.signals import orderly_signals

from .exit import Exit


class Ending:
    """Why the process is to end, once it is; `event` is set then."""

    def __init__(self) -> None:
        self.why = ""
        self.event = asyncio.Event()
        self.number = 0

    def ask(self, why: str) -> None:
        """End it, unless it ends already."""
        self.why = self.why or why
        self.event.set()

    def signalled(self, number: int) -> None:
        """End it, for that signal has come."""
        self.number = number
        self.ask(signal.Signals(number).name)

    @property
    def code(self) -> Exit:
        """With what a command ends that was interrupted: as by Ctrl-C, or in order by SIGTERM."""
        return Exit.INTERRUPTED if self.number == signal.SIGINT else Exit.OK


@contextmanager
def by_signal() -> Iterator[Ending]:
    """While inside, the first Ctrl-C or SIGTERM asks for the end; the next one ends the process at once."""
    ending, loop = Ending(), asyncio.get_running_loop()
    with orderly_signals(lambda number: _tell(loop, ending, number)):
        yield ending


def _tell(loop: asyncio.AbstractEventLoop, ending: Ending, number: int) -> None:
    loop.call_soon_threadsafe(ending.signalled, number)
