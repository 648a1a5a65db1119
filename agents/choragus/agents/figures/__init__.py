"""The five figures of runs: what they are by formula, of production runs, people's decisions, and runs as a dataset.

All of it reads a file by a `choragus.mailbox.Reader`, also beside the service that has it open, and needs only
the standard library; `Redaction` alone needs more, and is imported when it is asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .calls import CallFigures
from .case import case
from .counted import Choice, outcome_of
from .dataset import append, cases, regression, write
from .formula import (
    Figures,
    Mean,
    Outcome,
    Quantile,
    Quantiles,
    Rate,
    by_group,
    figures,
    mean,
    quantile,
    quantiles,
    rate,
)
from .period import Period, period
from .production import Production, production
from .review import Decisions, review

if TYPE_CHECKING:
    from .redaction import Redaction

__all__ = [
    "CallFigures",
    "Choice",
    "Decisions",
    "Figures",
    "Mean",
    "Outcome",
    "Period",
    "Production",
    "Quantile",
    "Quantiles",
    "Rate",
    "Redaction",
    "append",
    "by_group",
    "case",
    "cases",
    "figures",
    "mean",
    "outcome_of",
    "period",
    "production",
    "quantile",
    "quantiles",
    "rate",
    "regression",
    "review",
    "write",
]


def __getattr__(name: str) -> object:
    if name != "Redaction":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = import_module(f"{__name__}.redaction").Redaction
    globals()[name] = found
    return found
