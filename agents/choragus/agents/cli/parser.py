"""The words of the command line: what it is, and the parser for what was typed."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Sequence
from importlib import import_module

from .catalogue import ALSO, COMMANDS, GROUPS
from .command import Form, Version, filled

DESCRIPTION = """\
Look into a file of agent runs, and decide what waits for a person.

Every command but compact works beside the process that owns the file, and also when none does. It
reads, or copies, or prunes what has ended; or it leaves one message for the owner and says what
became of it. Only run and serve, with --app, own the file and run agents themselves."""

EPILOG = """\
an example:
  choragus runs runs.db                              what runs are there
  choragus show runs.db 5f2c                         what did this one do
  choragus approvals runs.db                         what waits for me
  choragus approve runs.db 7f3a --by mia             let it happen
  choragus approve runs.db 7f3a --set amount=120.00  with another amount
  choragus serve --app myservice:runtime             own the file, and go on

exit codes:
  0    done
  1    problems found in the file, something needs a person (doctor), a run
       has ended without a result, or a message could not be handled
  2    bad usage, or no such run, approval, call or message waits;
       nothing was changed
  3    the file is missing, no choragus database, too new, damaged, or in use;
       nothing was changed
  130  interrupted by Ctrl-C; 141 when nobody reads the output any more

`choragus COMMAND --help` explains a command and gives an example."""


def parser(typed: Sequence[str] | None = None) -> ArgumentParser:
    """The parser; it puts the command's function into `command`.

    Args:
        typed: the arguments. When they begin with a command, only that one's module is imported and only its words
            are known; when they begin with something else, only the names of the commands. Everything by default.
    """
    top = ArgumentParser(
        prog="choragus",
        usage="choragus [-h] [--version] COMMAND FILE ...",
        description=f"{filled(DESCRIPTION)}\n{listed()}",
        epilog=EPILOG,
        formatter_class=Form,
    )
    top.add_argument("--version", action=Version)
    commands = top.add_subparsers(prog="choragus", metavar="COMMAND", help=SUPPRESS, required=True)
    if typed is not None and not (typed and typed[0] in COMMANDS):
        if not typed or not typed[0].startswith("-"):
            top.error(unknown(typed[0]) if typed else "which command? `choragus --help` lists all")
        for name, one in COMMANDS.items():
            commands.add_parser(name, help=one.summary)
        return top
    named = COMMANDS if typed is None else typed[:1]
    for module in dict.fromkeys(COMMANDS[name].module for name in named):
        import_module(f"{__package__}.{module}").declare(commands)
    return top


def listed() -> str:
    """The commands with what they are for, by what one wants."""
    lines: list[str] = []
    for name, one in COMMANDS.items():
        if name in GROUPS:
            lines += ["", f"{GROUPS[name]}:"]
        lines.append(f"  {name:<12}{one.summary}")
    return "\n".join(lines)


def unknown(word: str) -> str:
    """What to say of a word that is no command: which one may be meant."""
    from difflib import get_close_matches

    meant = [name for name, others in ALSO.items() if word in others.split()] or get_close_matches(word, COMMANDS, 3)
    hint = f"did you mean {' or '.join(meant)}? " if meant else ""
    return f"there is no command {word!r}: {hint}`choragus --help` lists all"
