"""For tests of agents: recordings of runs, crashes everywhere, no real calls, and tools that claim to read.

`ScriptedModel` and `FunctionModel` are `choragus.agents`' own; other crashes are `choragus.supervision.testing`'s.
"""

from choragus.agents.reality import RealCallForbidden, check_real_calls_allowed, forbid_real_calls

from .crash import crash_everywhere
from .interruption import INTERRUPTIONS
from .reading import NotReadOnly, check_reads
from .recording.drift import ReplayDrift
from .recording.recording import Recording, recorded

__all__ = [
    "INTERRUPTIONS",
    "NotReadOnly",
    "RealCallForbidden",
    "Recording",
    "ReplayDrift",
    "check_reads",
    "check_real_calls_allowed",
    "crash_everywhere",
    "forbid_real_calls",
    "recorded",
]
