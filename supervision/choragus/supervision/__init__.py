"""Who restarts whom: supervision trees as values, and the system that runs them.

What is behind this door is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .backoff import Backoff
    from .directive import Directive
    from .errors import (
        AlreadyPresent,
        AlreadyStarted,
        EndedNormally,
        Escalated,
        NotFound,
        NotStopped,
        SpecFault,
        StartFailed,
        SystemFailed,
    )
    from .event import GaveUp, SupervisorEnded, SupervisorRestarted
    from .handle import ChildInfo, Count, SupervisorRef
    from .keyed import Keyed
    from .pool import Pool, PoolRef
    from .report import FailureReport
    from .shutdown import AutoShutdown
    from .spec import Child, DynamicSupervisor, Region, Supervisor
    from .state import ChildState
    from .strategy import OneForAll, OneForOne, Restart, RestForOne
    from .system import System
    from .tree import TreeNode

__all__ = [
    "AlreadyPresent",
    "AlreadyStarted",
    "AutoShutdown",
    "Backoff",
    "Child",
    "ChildInfo",
    "ChildState",
    "Count",
    "Directive",
    "DynamicSupervisor",
    "EndedNormally",
    "Escalated",
    "FailureReport",
    "GaveUp",
    "Keyed",
    "NotFound",
    "NotStopped",
    "OneForAll",
    "OneForOne",
    "Pool",
    "PoolRef",
    "Region",
    "RestForOne",
    "Restart",
    "SpecFault",
    "StartFailed",
    "Supervisor",
    "SupervisorEnded",
    "SupervisorRef",
    "SupervisorRestarted",
    "System",
    "SystemFailed",
    "TreeNode",
]

_MODULES = {
    "backoff": ("Backoff",),
    "directive": ("Directive",),
    "errors": (
        "AlreadyPresent",
        "AlreadyStarted",
        "EndedNormally",
        "Escalated",
        "NotFound",
        "NotStopped",
        "SpecFault",
        "StartFailed",
        "SystemFailed",
    ),
    "event": (
        "GaveUp",
        "SupervisorEnded",
        "SupervisorRestarted",
    ),
    "handle": (
        "ChildInfo",
        "Count",
        "SupervisorRef",
    ),
    "keyed": ("Keyed",),
    "pool": (
        "Pool",
        "PoolRef",
    ),
    "report": ("FailureReport",),
    "shutdown": ("AutoShutdown",),
    "spec": (
        "Child",
        "DynamicSupervisor",
        "Region",
        "Supervisor",
    ),
    "state": ("ChildState",),
    "strategy": (
        "OneForAll",
        "OneForOne",
        "Restart",
        "RestForOne",
    ),
    "system": ("System",),
    "tree": ("TreeNode",),
}
"""Where the names are defined, as the imports above say it too."""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
