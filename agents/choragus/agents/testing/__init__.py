"""For tests of agents: tools that claim to read, and what a crash may change in a run's logbook.

The crashes are `choragus.supervision.testing`'s.
"""

from .interruption import INTERRUPTIONS
from .reading import NotReadOnly, check_reads

__all__ = ["INTERRUPTIONS", "NotReadOnly", "check_reads"]
