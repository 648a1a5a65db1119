"""The plan of a run as a person reads it: each step with its state, and what happened in it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from choragus.agents.plan.book import StepStatus
from choragus.agents.plan.reading import Entry, RunPlan, book_of

from .text import columns, counted, short, visible

NARROW = 80
"""Columns that a plan fits into."""

STATE = 9
"""Columns of the longest state."""


def plan_lines(plan: RunPlan, width: int) -> list[str]:
    """The plan, a line for each step and one more for what went wrong in it."""
    page = min(width, NARROW)
    over = sum(one.state.is_over for one in plan.steps)
    revised = f", revised {counted(len(plan.revisions) - 1, 'time')}" if len(plan.revisions) > 1 else ""
    lines = [f"plan     {over} of {counted(len(plan.steps), 'step')} over{revised}"]
    names = min(20, max(columns(one.step.id) for one in plan.steps)) if plan.steps else 0
    for one in plan.steps:
        begin = f"  {one.state.value:<{STATE}}  {short(one.step.id, names):<{names}}  "
        lines.append(begin + short(visible(one.step.goal), page - columns(begin)))
        if note := _note(one):
            indent = " " * (STATE + 4)
            lines.append(indent + short(visible(note), page - len(indent)))
    return lines


def plan_of(entries: Iterable[Entry]) -> RunPlan:
    """The plan after these entries."""
    book = book_of(entries)
    return RunPlan(steps=tuple(book.steps.values()), revisions=tuple(book.revisions))


def plan_json(plan: RunPlan) -> dict[str, object]:
    """The plan in plain JSON types."""
    return attrs.asdict(plan, value_serializer=lambda _, __, value: getattr(value, "value", value))


def _note(one: StepStatus) -> str:
    """What is worth a line of its own."""
    parts = [f"{one.attempts} attempts"] if one.attempts > 1 else []
    parts += [f"by {one.by}"] if one.by not in ("", "model") else []
    parts += [one.why] if one.why else []
    return "; ".join(parts)
