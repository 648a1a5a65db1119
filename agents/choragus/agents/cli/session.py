"""What every command works with: the opened file, as it was named, and what was asked."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Iterable, Mapping
from getpass import getuser
from typing import TypeVar

import attrs

from choragus.agents.inspection import RunSummary, runs
from choragus.agents.visit import Fate, Handled, Recorded, SetAside
from choragus.mailbox.store import Store

from .exit import Exit, Refused
from .text import counted, visible

T = TypeVar("T")


@attrs.frozen
class Session:
    """One command at work. `file` is the name as it was typed; options are the attributes of `asked`."""

    store: Store
    file: str
    asked: Namespace

    @property
    def by(self) -> str:
        """Who decides: `--by`, or the login name.

        Raises:
            Refused: when there is neither.
        """
        given: str | None = self.asked.by
        name = self.login if given is None else given.strip()
        if not name:
            raise Refused("nobody is named as deciding: say who with --by NAME")
        return name

    @property
    def login(self) -> str:
        """The login name, as far as it is known."""
        return _login()

    @property
    def later(self) -> str:
        """When a message that nobody has taken up has its effect."""
        return f"it takes effect when {self.file} is next opened by its runtime"

    async def run(self, id: str) -> RunSummary:
        """The run of that id, or of the only one that begins so.

        Raises:
            Refused: when there is none, or more than one.
        """
        return self.pick(id, {one.run: one for one in await runs(self.store)}, "run", "runs")

    def check_alive(self, summary: RunSummary, verb: str) -> None:
        """Refuse to do something with a run that has ended."""
        if summary.status.is_final:
            raise Refused(f"run {summary.run} has ended ({summary.status.value}): there is nothing to {verb}")

    def pick(self, id: str, among: Mapping[str, T], noun: str, command: str) -> T:
        """What that id, or the only id that begins so, stands for.

        Args:
            command: lists what there is to choose from.
        """
        if id in among:
            return among[id]
        found = [name for name in among if id and name.startswith(id)]
        if len(found) == 1:
            return among[found[0]]
        if not found:
            raise Refused(f"no {noun} {id!r} in {self.file}: list them with `{self.command(command)}`")
        raise Refused(f"{counted(len(found), noun)} begin with {id!r}: {_some(found)}; give more of it")

    def command(self, name: str, *arguments: str) -> str:
        """A command on this file, to be copied."""
        return shlex.join(["choragus", name, self.file, *arguments])

    def say(self, *lines: str) -> None:
        """Print lines for a person; with --json nothing."""
        for line in () if self.is_json else lines:
            print(visible(line))

    @property
    def is_json(self) -> bool:
        """Whether a program reads what is printed."""
        return bool(getattr(self.asked, "json", False))

    def report(self, fate: Fate, handled: str, **more: object) -> Exit:
        """Say what became of a message; `handled` is for when it was handled without objection, `more` for programs."""
        match fate:
            case Handled(reply) if isinstance(reply, str) and reply:
                raise Refused(reply)
            case Handled():
                self.result("handled", handled, **more)
            case SetAside(reason):
                self.result("parked", f"parked, because it could not be handled: {reason}", **more)
                self.say(f"look at it with `{self.command('parked')}`")
                return Exit.PROBLEMS
            case Recorded(attempts):
                self.result("recorded", self._recorded(attempts), **more)
        return Exit.OK

    def result(self, fate: str, told: str, **more: object) -> None:
        """What has come of the command: a line for a person, or one JSON object."""
        if self.is_json:
            print(json.dumps({"command": self.asked.typed, "fate": fate, "told": told, **more}))
        else:
            print(visible(told))

    def _recorded(self, attempts: int) -> str:
        if attempts:
            return f"recorded: its receiver has failed on it {counted(attempts, 'time')} and will try again"
        return f"recorded: {self.later}"


def _login() -> str:
    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        return ""


def _some(names: Iterable[str]) -> str:
    listed = sorted(names)
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
