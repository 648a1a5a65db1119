"""For tests of whole systems: crashes, everywhere and by hand, and the events that were published."""

from .crash import crashing, watch
from .errors import ScenarioFault
from .everywhere import CrashSweep, crash_everywhere
from .ledger import Ledger, Line
from .point import CrashPoint
from .report import CrashFault, CrashReport

__all__ = [
    "CrashFault",
    "CrashPoint",
    "CrashReport",
    "CrashSweep",
    "Ledger",
    "Line",
    "ScenarioFault",
    "crash_everywhere",
    "crashing",
    "watch",
]
