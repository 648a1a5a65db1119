"""The command line, for the people who operate a file of runs: `choragus`, or `python -m choragus`."""

from __future__ import annotations

import io
import json
import sys
from argparse import Namespace
from collections.abc import Sequence
from errno import ENOSPC
from importlib import import_module
from os.path import isdir

from choragus.agents.errors import AgentError
from choragus.mailbox.errors import ChoragusError, CorruptRecord, StoreError
from choragus.mailbox.reader import Reader

from .command import Reading
from .exit import Exit, silence
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
        silence()
        return Exit.BROKEN_PIPE
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except OSError as error:
        if error.errno != ENOSPC:
            raise
        silence()
        return _fail(f"what was to be printed cannot be written: {error.strerror}", Exit.PROBLEMS)
    return code


def _main(argv: Sequence[str]) -> int:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal of another encoding gets escapes, not an error
            stream.reconfigure(errors="backslashreplace")
    if argv and argv[0] == "help":  # as other tools have it
        argv = [*argv[1:2], "--help"]
    try:
        asked = parser(argv).parse_args(argv)
    except SystemExit as end:  # argparse has said what is wrong, or given help
        return end.code if isinstance(end.code, int) else Exit.USAGE
    if asked.file is None and asked.reads:
        return _fail(f"which file? `choragus {asked.typed} FILE`", Exit.USAGE)
    if asked.file and isdir(asked.file):
        return _fail(f"{asked.file} is a folder: name the database in it", Exit.FILE)
    try:
        if odd := _no_unicode(asked):
            return _fail(f"{odd} is no text: give it in UTF-8", Exit.USAGE)
        if getattr(asked, "tells", False):
            return int(asked.command(asked))
        if owns := str(getattr(asked, "owns", "")):  # it takes the user's own code, and opens the file itself
            return int(import_module(f"{__package__}.{owns}").run(asked))
        return _read(asked) if asked.reads else _post(asked)
    except AgentError as error:
        if getattr(asked, "json", False) and not asked.reads and not getattr(asked, "owns", ""):
            print(json.dumps({"command": asked.typed, "fate": "refused", "told": str(error)}))
        return _fail(str(error), Exit.USAGE)
    except CorruptRecord as error:
        remedy = "" if "backup" in str(error) else f"; check the file with `choragus verify {asked.file}`"
        return _fail(f"{error}{remedy}", Exit.FILE)
    except StoreError as error:
        return _fail(str(error), Exit.FILE)
    except ChoragusError as error:
        return _fail(str(error), Exit.USAGE)


def _no_unicode(asked: Namespace) -> str:
    """What was typed in bytes that are no UTF-8, which no file can hold; the name of the file may be."""
    for name, value in vars(asked).items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, str) and name != "file" and any("\ud800" <= letter <= "\udfff" for letter in one):
                return repr(one)
    return ""


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
