"""What supervision reports, as one tree.

ChoragusError
├─ SpecFault (ValueError)     a child or supervisor is specified wrongly
├─ AlreadyStarted             a name that is alive is started again
├─ StartFailed                a child's init failed, so its supervisor did not start
└─ Escalated                  a supervisor gave up
SystemFailed (ExceptionGroup) the top gave up: every cause, each with its path
"""

from __future__ import annotations

from collections.abc import Sequence

from choragus.actors.status import Failure
from choragus.mailbox.errors import ChoragusError


class SpecFault(ChoragusError, ValueError):
    """Raised when a child or supervisor is specified wrongly, before anything starts."""


class AlreadyStarted(ChoragusError):
    """Raised when an actor is started under a name that is alive; there is never a second instance."""


class StartFailed(ChoragusError):
    """Raised when a child's init failed; the children before it have been stopped. The failure is the cause."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} did not start")
        self.path = path


class Escalated(ChoragusError):
    """What a supervisor that gave up is reported with to its parent; `failures` has the causes with their paths."""

    def __init__(self, path: str, reason: str, failures: Sequence[Failure]) -> None:
        super().__init__(f"{path or 'the system'} gave up: {reason}")
        self.path = path
        self.failures = tuple(failures)


class SystemFailed(ExceptionGroup[Exception]):
    """Raised by `async with System()` when the top gave up or the kernel cannot go on.

    The group holds every cause, each with a note that names its path; `paths` lists them in the same order.
    """

    paths: tuple[str, ...] = ()

    def derive(self, excs: Sequence[Exception], /) -> SystemFailed:  # type: ignore[override]  # the stub wants it generic
        """The same kind of group, for `except*` and `split`."""
        return SystemFailed(self.message, excs)
