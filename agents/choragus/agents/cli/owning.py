"""Running a command that owns the file: the user's runtime, in an event loop."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Awaitable, Callable
from importlib import import_module

import anyio

from .exit import Exit


def run(asked: Namespace) -> int:
    """Run the command that was asked for."""
    module, _, function = str(asked.command).partition(":")
    command: Callable[[Namespace], Awaitable[Exit]] = getattr(import_module(f"{__package__}.{module}"), function)
    return anyio.run(command, asked)
