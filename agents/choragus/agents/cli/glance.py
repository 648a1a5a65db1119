"""What a command works with that only reads: the opened file, as it was named, and what was asked."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Iterable
from typing import NamedTuple

from choragus.mailbox.reader import Reader, ViewRow

from .exit import Refused
from .text import counted


class Glance(NamedTuple):
    """One reading command at work. `file` is the name as it was typed; options are the attributes of `asked`."""

    reader: Reader
    file: str
    asked: Namespace

    @property
    def later(self) -> str:
        """When a message that nobody has taken up has its effect."""
        return f"it takes effect when {self.file} is next opened by its runtime"

    def run(self, id: str) -> ViewRow:
        """The row of the run of that id, or of the only one that begins so.

        Raises:
            Refused: when there is none, or more than one.
        """
        return self.pick("run", id, "run", "runs")

    def pick(self, kind: str, id: str, noun: str, command: str) -> ViewRow:
        """The row of a kind with that key, or with the only key that begins so.

        Args:
            command: lists what there is to choose from.

        Raises:
            Refused: when there is none, or more than one.
        """
        found = self.reader.keys(kind, id) if id else []
        if id in found or len(found) == 1:
            row = self.reader.view(kind, id if id in found else found[0])
            if row is not None:
                return row
        if not found:
            raise Refused(f"no {noun} {id!r} in {self.file}: list them with `{self.command(command)}`")
        raise Refused(f"{counted(len(found), noun)} begin with {id!r}: {some(found)}; give more of it")

    def command(self, name: str, *arguments: str) -> str:
        """A command on this file, to be copied."""
        return shlex.join(["choragus", name, self.file, *arguments])


def some(names: Iterable[str]) -> str:
    """The first few names."""
    listed = sorted(names)
    return ", ".join(listed[:5]) + (", ..." if len(listed) > 5 else "")
