"""Who restarts whom: supervision trees as values, and the system that runs them."""

from .backoff import Backoff
from .errors import AlreadyStarted, Escalated, SpecFault, StartFailed, SystemFailed
from .spec import Child, OneForOne, Region, Restart, Supervisor
from .system import System

__all__ = [
    "AlreadyStarted",
    "Backoff",
    "Child",
    "Escalated",
    "OneForOne",
    "Region",
    "Restart",
    "SpecFault",
    "StartFailed",
    "Supervisor",
    "System",
    "SystemFailed",
]
