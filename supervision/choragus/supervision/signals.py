"""Orderly ends by signal: the first asks, the second does not wait."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def orderly_signals(ask: Callable[[int], None]) -> Iterator[None]:
    """While inside, SIGINT and SIGTERM call `ask` once; the next one ends the process at once with 128 + its number.

    Outside the main thread, where Python takes no signal handlers, this does nothing. The handlers that were there
    before are put back at the end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def handler(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(128 + number)
        asked = True
        ask(number)

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
