"""A screen that is shown anew, by rich; the terminal is as it was behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text


@contextmanager
def shown() -> Iterator[Callable[[Sequence[str]], None]]:
    """Takes the terminal's other screen, and gives what shows lines on it; they may hold colours of `paint`."""
    with Live(console=Console(highlight=False), screen=True, auto_refresh=False) as live:
        yield lambda lines: live.update(Text.from_ansi("\n".join(lines)), refresh=True)
