"""The plan of a run as a person reads it: each step with its state, and what happened in it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from choragus.agents.plan.book import StepStatus
from choragus.agents.plan.reading import RunPlan

from .text import columns, counted, short, visible

NARROW = 80
"""Columns that a plan fits into."""

STATE = 9
"""Columns of the longest state."""

_TOLD = {
    "plan.revised": "revised",
    "step.started": "step",
    "step.retried": "again",
    "step.fallback": "fallback",
    "step.succeeded": "done",
    "step.failed": "failed",
    "step.skipped": "skipped",
    "step.escalated": "escalated",
}

PLAN_KINDS = frozenset({"plan.proposed", "plan.refused", *_TOLD})
"""The kinds of entries that `told` tells."""


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


def plan_json(plan: RunPlan) -> dict[str, object]:
    """The plan in plain JSON types."""
    return attrs.asdict(plan, value_serializer=lambda _, __, value: getattr(value, "value", value))


def told(kind: str, data: Mapping[str, object]) -> tuple[str, str] | None:
    """What an entry of the plan says to a person, in a word and a sentence; None for other entries."""
    reason = f": {data['reason']}" if data.get("reason") else ""
    if kind == "plan.proposed":
        return "plan", f"{counted(_count(data.get('steps')), 'step')}, by the {data.get('by', '')}"
    if kind == "plan.refused":
        faults = data.get("faults")
        return "no plan", "; ".join(map(str, faults)) if isinstance(faults, list) else ""
    if kind not in _TOLD:
        return None
    if kind == "plan.revised":
        return _TOLD[kind], f"by the {data.get('by', '')}{reason}"
    by = f" by {data['by']}" if "by" in data else ""
    outcome = f": {data['outcome']}" if data.get("outcome") else ""
    return _TOLD[kind], f"{data.get('step', '')}{by}{reason}{outcome}"


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _note(one: StepStatus) -> str:
    """What is worth a line of its own."""
    parts = [f"{one.attempts} attempts"] if one.attempts > 1 else []
    parts += [f"by {one.by}"] if one.by not in ("", "model") else []
    parts += [one.why] if one.why else []
    return "; ".join(parts)
