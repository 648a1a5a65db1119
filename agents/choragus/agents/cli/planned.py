"""What an entry of a plan says in a timeline. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from .text import counted

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
