"""What a system that gave up raises."""

from __future__ import annotations

from collections.abc import Sequence

from choragus.actors.status import Failure

from .errors import Escalated, SystemFailed


def collapsed(failures: Sequence[Failure]) -> SystemFailed:
    """The error of a system whose top gave up: every cause, with its path and message."""
    causes = [cause for failure in failures for cause in _causes(failure)]
    errors: list[Exception] = []
    for cause in causes:
        error = cause.error
        if not isinstance(error, Exception):
            error = RuntimeError(f"{cause.path} was ended by {error!r}")
            error.__cause__ = cause.error
        error.add_note(f"in {cause.path or 'the system'}" + (f", on {cause.message}" if cause.message else ""))
        errors.append(error)
    paths = tuple(cause.path for cause in causes)
    group = SystemFailed(f"the system ended: {', '.join(dict.fromkeys(paths))}", errors)
    group.paths = paths
    return group


def _causes(failure: Failure) -> list[Failure]:
    """The failures at the leaves: what an escalation was about."""
    if not isinstance(failure.error, Escalated):
        return [failure]
    return [cause for inner in failure.error.failures for cause in _causes(inner)] or [failure]
