"""How a command ends: its exit codes, and the refusal of one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

from choragus.agents.errors import AgentError


class Exit(IntEnum):
    """What the exit code of a command says."""

    OK = 0
    PROBLEMS = 1
    """Something is wrong with what the file holds, or what was posted could not be carried out."""
    USAGE = 2
    """A bad command line, or a run, approval, call or message that is not there or does not wait; nothing changed."""
    FILE = 3
    """The file is missing, not ours, too new, damaged, or owned when it must not be; or a backup's target is there."""
    INTERRUPTED = 130
    """Ctrl-C."""
    BROKEN_PIPE = 141
    """Whoever read the output went away."""


class Refused(AgentError):
    """Raised when a command refuses what it was asked for; nothing was written."""


@contextmanager
def heard() -> Iterator[None]:
    """What is printed inside goes nowhere, from now on, once nobody reads it any more: what goes on besides goes on."""
    try:
        yield
    except BrokenPipeError:
        silence()


def silence() -> None:
    """Nobody reads any more: let what is printed, and the interpreter's last flush, go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
