"""The streams of a run."""

from __future__ import annotations

SHOWN = 2_000
"""Characters of a call's result that the logbook repeats; the conversation holds all of it."""


def run_stream(run: str) -> str:
    """The logbook: what happened, in the order in which it was committed."""
    return f"run/{run}"


def conversation_stream(run: str) -> str:
    """The conversation: what the model is sent, one message an entry."""
    return f"conversation/{run}"


def plan_stream(run: str) -> str:
    """The plan: its steps as they were proposed and revised, and what became of each."""
    return f"plan/{run}"


def results_stream(run: str) -> str:
    """What the gateway keeps of calls beside the logbook: results that were cut, and what takes a call back."""
    return f"results/{run}"


def context_stream(run: str) -> str:
    """What was decided about what the model sees of a run's conversation, one decision an entry."""
    return f"context/{run}"
