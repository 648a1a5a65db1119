"""The traces that an interruption leaves in a run's logbook."""

from __future__ import annotations

INTERRUPTIONS = frozenset({"call.unknown", "call.settled"})
"""Kinds of lines that a run has more of when a call was interrupted that cannot be repeated, and a person said what
became of it: for `crash_everywhere(scenario, allowed=INTERRUPTIONS)`."""
