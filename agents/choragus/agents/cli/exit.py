"""How a command ends: its exit codes, and the refusal of one."""

from __future__ import annotations

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
