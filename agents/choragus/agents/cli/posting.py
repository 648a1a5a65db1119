"""Running a command that may leave a message in the file: the store opened as a visitor, in an event loop."""

from __future__ import annotations

from argparse import Namespace

import anyio

from choragus.agents.storable import storable
from choragus.mailbox.sqlite import SqliteStore

from .command import Command
from .exit import Refused
from .session import Session


def run(asked: Namespace) -> int:
    """Run the command that was asked for."""
    if odd := _no_unicode(asked):
        raise Refused(f"{odd} is no text: give it in UTF-8")
    return anyio.run(_run, asked)


def _no_unicode(asked: Namespace) -> str:
    """What was typed in bytes that are no UTF-8, which no file can hold; the name of the file may be."""
    for name, value in vars(asked).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and name != "file" and storable(one) != one:
                return repr(one)
    return ""


async def _run(asked: Namespace) -> int:
    command: Command = asked.command
    store = await SqliteStore.open(asked.file, visitor=True)
    try:
        return await command(Session(store, asked.file, asked))
    finally:
        with anyio.CancelScope(shield=True):
            await store.close()
