"""The traces that an interruption leaves in a run's logbook."""

from __future__ import annotations

INTERRUPTIONS = frozenset({"call.intended", "call.settled", "call.unknown"})
"""Kinds of lines that a run has more of when a call was interrupted that cannot be repeated, and a person said what
became of it, or that it is to be made again: for `crash_everywhere(scenario, allowed=INTERRUPTIONS)`."""
