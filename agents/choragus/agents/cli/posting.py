"""Running a command that may leave a message in the file: the store opened as a visitor, in an event loop."""

from __future__ import annotations

from argparse import Namespace
from importlib import import_module

import anyio

from choragus.mailbox.sqlite import SqliteStore

from .command import Command
from .session import Session


def run(asked: Namespace) -> int:
    """Run the command that was asked for."""
    return anyio.run(_run, asked)


def _command(named: Command | str) -> Command:
    """What does it: as a name, `module:function`, where the command itself only reads."""
    if not isinstance(named, str):
        return named
    module, _, function = named.partition(":")
    found: Command = getattr(import_module(f"{__package__}.{module}"), function)
    return found


async def _run(asked: Namespace) -> int:
    command = _command(asked.command)
    store = await SqliteStore.open(asked.file, visitor=True)
    try:
        return await command(Session(store, asked.file, asked))
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()
