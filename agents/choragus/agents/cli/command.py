"""How a command of the command line is declared, and what several of them take."""

from __future__ import annotations

import textwrap
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .catalogue import COMMANDS
from .exit import Exit
from .glance import Glance
from .text import page

if TYPE_CHECKING:  # it knows how to post a message, which takes half a second to import
    from .session import Session

Command: TypeAlias = "Callable[[Session], Awaitable[Exit]]"
Reading: TypeAlias = Callable[[Glance], Exit]
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

RUN = "the run's id, or the beginning of it when no other run begins so"


def command(commands: Commands, name: str, run: Command, description: str, example: str) -> ArgumentParser:
    """Declare a command that takes a file, as a visitor who may leave a message in it; more is added to what this
    gives back. What it is for stands in the catalogue."""
    made = _declared(commands, name, description, example)
    made.set_defaults(command=run, reads=False)
    return made


def reading(commands: Commands, name: str, run: Reading, description: str, example: str) -> ArgumentParser:
    """Declare a command that only reads a file, by the standard library alone."""
    made = _declared(commands, name, description, example)
    made.set_defaults(command=run, reads=True)
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


class Version(Action):
    """Prints the version and ends; it is looked up only then."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="show the version and end")

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: object, option_string: str | None = None
    ) -> None:
        """Look it up."""
        from importlib.metadata import PackageNotFoundError, version

        try:
            known = version("choragus")
        except PackageNotFoundError:
            known = "of an unknown version: it runs from a source tree that is not installed"
        print(f"choragus {known}")
        parser.exit()


def _declared(commands: Commands, name: str, description: str, example: str) -> ArgumentParser:
    made = commands.add_parser(
        name,
        help=COMMANDS[name].summary,
        description=filled(description),
        epilog=f"an example:\n  {example}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    made.add_argument("file", metavar="FILE", help="the database that a Runtime was opened with")
    return made
