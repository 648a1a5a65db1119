"""The command line, for the people who operate a file of runs: `choragus`, or `python -m choragus`."""

from __future__ import annotations

import io
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from importlib import import_module
from os.path import isdir

from choragus.agents.errors import AgentError
from choragus.mailbox.errors import ChoragusError, CorruptRecord, StoreError
from choragus.mailbox.reader import Reader

from .command import Reading
from .exit import Exit
from .glance import Glance
from .parser import parser
from .text import visible

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give back its exit code; without `argv`, that of the process."""
    try:
        code = _main(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    return code


def _main(argv: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding gets escapes, not an error
            stream.reconfigure(errors="backslashreplace")
    try:
        asked = parser(argv).parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or given help
        return end.code if isinstance(end.code, int) else Exit.USAGE
    if isdir(asked.file):
        return _fail(f"{asked.file} is a folder: name the database in it", Exit.FILE)
    try:
        if getattr(asked, "owns", ""):
            code: int = import_module(f"{__package__}.{asked.owns}").run(asked)
            return code
        return _read(asked) if asked.reads else _post(asked)
    except AgentError as error:
        return _fail(str(error), Exit.USAGE)
    except CorruptRecord as error:
        remedy = "" if "backup" in str(error) else f"; check the file with `choragus verify {asked.file}`"
        return _fail(f"{error}{remedy}", Exit.FILE)
    except StoreError as error:
        return _fail(str(error), Exit.FILE)
    except ChoragusError as error:
        return _fail(str(error), Exit.USAGE)


def _read(asked: Namespace) -> int:
    command: Reading = asked.command
    with Reader(asked.file) as reader:
        return command(Glance(reader, asked.file, asked))


def _post(asked: Namespace) -> int:
    code: int = import_module(f"{__package__}.posting").run(asked)
    return code


def _fail(text: str, code: Exit) -> int:
    print(visible(f"choragus: {text}"), file=sys.stderr)
    return code


def _silence() -> None:
    """Nobody reads any more: let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
