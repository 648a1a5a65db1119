"""Who restarts whom: supervision trees as values, and the system that runs them."""

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
