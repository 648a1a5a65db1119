"""How a command of the command line is declared, and what several of them take."""

from __future__ import annotations

import textwrap
from argparse import ArgumentParser, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from .exit import Exit
from .session import Session
from .text import page

Command: TypeAlias = Callable[[Session], Awaitable[Exit]]
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

RUN = "the run's id, or the beginning of it when no other run begins so"


def command(
    commands: Commands, name: str, run: Command, summary: str, description: str, example: str
) -> ArgumentParser:
    """Declare a command that takes a file; what else it takes is added to what this gives back."""
    made = commands.add_parser(
        name,
        help=summary,
        description=filled(description),
        epilog=f"an example:\n  {example}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    made.set_defaults(command=run)
    made.add_argument("file", metavar="FILE", help="the database that a Runtime was opened with")
    return made


def filled(text: str) -> str:
    """The paragraphs of a description, broken to fit the page."""
    return "\n\n".join(textwrap.fill(one, page()) for one in text.split("\n\n"))


def add_person(one: ArgumentParser) -> None:
    """Who decides."""
    one.add_argument("--by", metavar="NAME", help="who decides; the login name by default")


def add_reason(one: ArgumentParser) -> None:
    """Why."""
    one.add_argument("--reason", metavar="TEXT", default="", help="why; it stands in the logbook")
