"""Evaluation: an agent is tried with cases, and what comes of it is scored, reported and held against a baseline.

What is behind this door is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from choragus.agents.ended import EndedRun, MadeCall
    from choragus.agents.judge import Judge, Judgement

    from .baseline import Baseline, Rule, compare
    from .case import Case, Dataset
    from .conduct import AtMost, Trajectory
    from .estimate import pass_all, pass_at
    from .inspecting import inspect_log, write_inspect
    from .judging import judge_agent
    from .printing import printed
    from .reading import read_cases
    from .report import CaseResult, Report
    from .running import evaluate
    from .scorer import Contains, Exact, Matches, Predicate, Schema, Score, Scorer
    from .trial import Trial

__all__ = [
    "AtMost",
    "Baseline",
    "Case",
    "CaseResult",
    "Contains",
    "Dataset",
    "EndedRun",
    "Exact",
    "Judge",
    "Judgement",
    "MadeCall",
    "Matches",
    "Predicate",
    "Report",
    "Rule",
    "Schema",
    "Score",
    "Scorer",
    "Trajectory",
    "Trial",
    "compare",
    "evaluate",
    "inspect_log",
    "judge_agent",
    "pass_all",
    "pass_at",
    "printed",
    "read_cases",
    "write_inspect",
]

_MODULES = {
    "choragus.agents.ended": (
        "EndedRun",
        "MadeCall",
    ),
    "choragus.agents.judge": (
        "Judge",
        "Judgement",
    ),
    ".baseline": (
        "Baseline",
        "Rule",
        "compare",
    ),
    ".case": (
        "Case",
        "Dataset",
    ),
    ".conduct": (
        "AtMost",
        "Trajectory",
    ),
    ".estimate": (
        "pass_all",
        "pass_at",
    ),
    ".inspecting": (
        "inspect_log",
        "write_inspect",
    ),
    ".judging": ("judge_agent",),
    ".printing": ("printed",),
    ".reading": ("read_cases",),
    ".report": (
        "CaseResult",
        "Report",
    ),
    ".running": ("evaluate",),
    ".scorer": (
        "Contains",
        "Exact",
        "Matches",
        "Predicate",
        "Schema",
        "Score",
        "Scorer",
    ),
    ".trial": ("Trial",),
}
"""Where the names are defined, as the imports above say it too."""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(_PLACES[name], __name__), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
