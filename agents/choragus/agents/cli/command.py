"""How a command of the command line is declared, and what several of them take."""

from __future__ import annotations

import textwrap
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from .catalogue import COMMANDS
from .exit import Exit
from .glance import Glance
from .text import page, screen

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
    _add_file(made)
    made.set_defaults(command=run, reads=False)
    return made


def reading(
    commands: Commands, name: str, run: Reading, description: str, example: str, *, needs_file: bool = True
) -> ArgumentParser:
    """Declare a command that only reads a file, by the standard library alone."""
    made = _declared(commands, name, description, example)
    _add_file(made, needs_file)
    made.set_defaults(command=run, reads=True)
    return made


def owning(commands: Commands, name: str, run: str, description: str, example: str) -> ArgumentParser:
    """Declare a command that takes the user's own code by `--app`, and owns the file that its runtime names.

    Args:
        run: what does it, as `module:function` in this package: it is imported with the runtime, when it is run. It is
            an async function of the Namespace, and gives an Exit.
    """
    made = _declared(commands, name, description, example)
    where = "an attribute that is a Runtime, or a function that gives one; the current folder is looked in too"
    made.add_argument("--app", metavar="MODULE:NAME", required=True, help=where)
    made.set_defaults(command=run, reads=False, owns="owning", file="")
    return made


def telling(
    commands: Commands, name: str, run: Callable[[Namespace], Exit], description: str, example: str
) -> ArgumentParser:
    """Declare a command that needs no file."""
    made = _declared(commands, name, description, example)
    made.set_defaults(command=run, reads=False, tells=True, file="")
    return made


def _add_file(made: ArgumentParser, is_needed: bool = True) -> None:
    made.add_argument(
        "file", metavar="FILE", nargs=None if is_needed else "?", help="the database that a Runtime was opened with"
    )


def add_json(one: ArgumentParser, what: str) -> None:
    """The same for programs."""
    one.add_argument("--json", action="store_true", help=what)


def filled(text: str) -> str:
    """The paragraphs of a description, broken to fit the page."""
    return "\n\n".join(textwrap.fill(one, page()) for one in text.split("\n\n"))


def add_person(one: ArgumentParser) -> None:
    """Who decides."""
    one.add_argument("--by", metavar="NAME", help="who decides; the login name by default")


def add_reason(one: ArgumentParser) -> None:
    """Why."""
    one.add_argument("--reason", metavar="TEXT", default="", help="why; it stands in the logbook")


class Form(RawDescriptionHelpFormatter):
    """How help is laid out. It knows the width: argparse, which asks for each argument, imports `shutil` to ask."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=screen()[0] - 2)


class Posts(Action):
    """An option that turns a command that reads into one that posts: `posts` names what does, `module:function`."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, posts: str, metavar: str, help: str) -> None:
        super().__init__(option_strings, dest, metavar=metavar, help=help)
        self._posts = posts

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: object, option_string: str | None = None
    ) -> None:
        """Take note of it."""
        setattr(namespace, self.dest, values)
        namespace.reads, namespace.command = False, self._posts


class Owns(Action):
    """An option that turns a command into one of the user's own code: `owns` names what does, `module:function`."""

    def __init__(self, option_strings: Sequence[str], dest: str, *, owns: str, metavar: str, help: str) -> None:
        super().__init__(option_strings, dest, metavar=metavar, help=help)
        self._owns = owns

    def __call__(
        self, parser: ArgumentParser, namespace: Namespace, values: object, option_string: str | None = None
    ) -> None:
        """Take note of it."""
        setattr(namespace, self.dest, values)
        namespace.reads, namespace.owns, namespace.command = False, "owning", self._owns


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
        formatter_class=Form,
    )
    made.set_defaults(typed=name, owns="", tells=False)
    return made
