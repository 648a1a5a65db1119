"""For tests of whole systems: crashes, and the events that were published."""

from .crash import crashing, watch

__all__ = ["crashing", "watch"]
