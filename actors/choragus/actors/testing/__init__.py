"""For tests of actors: simulated time and order, probes, and faults on purpose."""

from .errors import Deadlock, NotSimulated, Overrun
from .faults import Crashed, Disturbance, Loss, crash, delay, drop, fail, faults, late
from .loop import SimulatedLoop, clock, settled
from .probe import Probe
from .simulation import simulate, simulated

__all__ = [
    "Crashed",
    "Deadlock",
    "Disturbance",
    "Loss",
    "NotSimulated",
    "Overrun",
    "Probe",
    "SimulatedLoop",
    "clock",
    "crash",
    "delay",
    "drop",
    "fail",
    "faults",
    "late",
    "settled",
    "simulate",
    "simulated",
]
