"""What supervision reports, as one tree.

ChoragusError
├─ SpecFault (ValueError)     a child or supervisor is specified wrongly
├─ AlreadyStarted             a name that is alive is started again
├─ AlreadyPresent             a name whose spec is kept, without a process, is started again
├─ NotFound (LookupError)     a supervisor has no such child
├─ NotStopped                 a child is to be deleted or restarted, and is not stopped
├─ StartFailed                a child's init failed, so its supervisor did not start
├─ EndedNormally              a permanent child ended, though without a failure
└─ Escalated                  a supervisor gave up
SystemFailed (ExceptionGroup) the top gave up: every cause, each with its path
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Never

from choragus.mailbox.errors import ChoragusError

from .state import ChildState

if TYPE_CHECKING:
    from choragus.actors.ref import Ref
    from choragus.actors.status import Failure


class SpecFault(ChoragusError, ValueError):
    """Raised when a child or supervisor is specified wrongly, before anything starts."""


class AlreadyStarted(ChoragusError):
    """Raised when a child is started under a name that is alive; there is never a second instance.

    `ref` is the one that is alive; None when it is a supervisor.
    """

    def __init__(self, path: str, ref: Ref[Never] | None) -> None:
        super().__init__(f"{path} is alive already: use another name, or stop it first")
        self.path = path
        self.ref = ref


class AlreadyPresent(ChoragusError):
    """Raised when a child is started under the name of one that is stopped, but whose spec is kept."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is stopped and its spec is kept: use restart_child, or delete_child first")
        self.path = path


class NotFound(ChoragusError, LookupError):
    """Raised when a supervisor has no such child."""

    def __init__(self, supervisor: str, child: object) -> None:
        super().__init__(f"{supervisor or 'the root'} has no child {child!r}: children() lists those it has")
        self.supervisor = supervisor
        self.child = child


class NotStopped(ChoragusError):
    """Raised when a child is to be deleted or restarted on request while it is not stopped; see `state`."""

    def __init__(self, path: str, state: ChildState) -> None:
        super().__init__(f"{path} is {state.value}: use stop_child first")
        self.path = path
        self.state = state


class StartFailed(ChoragusError):
    """Raised when a child's init failed; the children before it have been stopped. The failure is the cause."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} did not start")
        self.path = path


class EndedNormally(ChoragusError):
    """What is reported for a permanent child that ended by itself too often."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is permanent and ended, though normally")
        self.path = path


class Escalated(ChoragusError):
    """What a supervisor that gave up is reported with to its parent; `failures` has the causes with their paths.

    When a decider escalated, the error that it decided about is the cause.
    """

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


def not_entered() -> RuntimeError:
    """The error of whoever uses a System outside of its block."""
    return RuntimeError("this System does not run yet: use it as in `async with System() as system: ...`")
