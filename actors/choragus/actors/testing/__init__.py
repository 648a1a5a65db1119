"""For tests of actors: simulated time and order, probes, and faults on purpose."""

from choragus.actors.fault import Crashed

from .errors import Deadlock, NotSimulated, Overrun
from .faults import Disturbance, Loss, crash, delay, drop, fail, faults, late
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
