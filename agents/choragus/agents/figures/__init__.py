"""The five figures of runs: what they are by formula, of production runs, and the runs as a dataset."""

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

__all__ = [
    "Figures",
    "Mean",
    "Outcome",
    "Quantile",
    "Quantiles",
    "Rate",
    "by_group",
    "figures",
    "mean",
    "quantile",
    "quantiles",
    "rate",
]
