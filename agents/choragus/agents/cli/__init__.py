"""The command line, for the people who operate a file of runs: `choragus`, or `python -m choragus`."""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import anyio

from choragus.agents.errors import AgentError
from choragus.agents.storable import storable
from choragus.mailbox.errors import ChoragusError, CorruptRecord, StoreError
from choragus.mailbox.sqlite import SqliteStore

from .command import Command
from .exit import Exit
from .parser import parser
from .session import Session
from .text import visible

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give back its exit code; without `argv`, that of the process."""
    try:
        code = _main(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _main(argv: Sequence[str] | None) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding gets escapes, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        asked = parser().parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or given help
        return end.code if isinstance(end.code, int) else Exit.USAGE
    if odd := _no_unicode(asked):
        return _fail(asked, f"{odd} is no text: give it in UTF-8", Exit.USAGE)
    if Path(asked.file).is_dir():
        return _fail(asked, f"{asked.file} is a folder: name the database in it", Exit.FILE)
    try:
        return anyio.run(_run, asked)
    except AgentError as error:
        return _fail(asked, str(error), Exit.USAGE)
    except CorruptRecord as error:
        remedy = "" if "backup" in str(error) else f"; check the file with `choragus verify {asked.file}`"
        return _fail(asked, f"{error}{remedy}", Exit.FILE)
    except StoreError as error:
        return _fail(asked, str(error), Exit.FILE)
    except ChoragusError as error:
        return _fail(asked, str(error), Exit.USAGE)


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


def _fail(asked: Namespace, text: str, code: Exit) -> int:
    print(visible(f"choragus: {text}"), file=sys.stderr)
    return code


def _silence() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
