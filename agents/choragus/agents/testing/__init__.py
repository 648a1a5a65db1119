"""For tests of agents: what a crash may change in a run's logbook. The crashes are `choragus.supervision.testing`'s."""

from .interruption import INTERRUPTIONS

__all__ = ["INTERRUPTIONS"]
