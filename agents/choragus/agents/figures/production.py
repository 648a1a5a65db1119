"""The figures of the runs that a file holds, over a period and by what they have in common. Standard library only."""

from __future__ import annotations

from typing import Literal, NamedTuple, TypeAlias

from choragus.mailbox.reader import Reader

from .calls import CallFigures, Used, call_figures, used
from .counted import EVERY, Choice, CountedRun, counted
from .formula import Figures, Outcome, by_group, figures

By: TypeAlias = Literal["agent", "model", "tool", "tenant", "version", "day"]

GROUPS: tuple[By, ...] = ("agent", "model", "tool", "tenant", "version", "day")


class Production(NamedTuple):
    """The figures of all that were chosen, of each group, and by model or tool those of the calls too.

    A run that has used several models or tools is in the group of each; one that has used none is in none.
    """

    choice: Choice
    by: By | None
    total: Figures
    groups: dict[str, Figures]
    calls: dict[str, CallFigures]

    def as_dict(self) -> dict[str, object]:
        """All of it in plain JSON types."""
        return {
            "since": self.choice.period.since,
            "until": self.choice.period.until,
            "by": self.by,
            "total": self.total.as_dict(),
            "groups": {name: one.as_dict() for name, one in self.groups.items()},
            "calls": {name: _plain(one) for name, one in self.calls.items()},
        }


def production(reader: Reader, choice: Choice = EVERY, by: By | None = None) -> Production:
    """The five figures of the runs that ended in a period, and how many go on.

    By agent, tenant, version and day one row of each run is read; by model and tool the entries of its calls too.

    Raises:
        ValueError: when `by` is nothing that runs are grouped by.
    """
    if by is not None and by not in GROUPS:
        raise ValueError(f"by={by!r} is nothing that runs are grouped by: choose from {', '.join(GROUPS)}")
    runs = list(counted(reader, choice))
    total = figures(one.outcome for one in runs)
    if by in ("model", "tool"):
        members, calls = _by_calls(reader, runs, by)
        return Production(choice, by, total, by_group(members), calls)
    members = [(_group(one, by), one.outcome) for one in runs if by and (by != "day" or one.ended)]
    return Production(choice, by, total, by_group(members), {})


def _group(one: CountedRun, by: By) -> str:
    match by:
        case "agent":
            return one.agent
        case "tenant":
            return one.tenant
        case "version":
            return one.version
        case _:
            return one.day


def _by_calls(
    reader: Reader, runs: list[CountedRun], by: Literal["model", "tool"]
) -> tuple[list[tuple[str, Outcome]], dict[str, CallFigures]]:
    members: list[tuple[str, Outcome]] = []
    uses: dict[str, list[Used]] = {}
    for run in runs:
        names = set()
        for one in used(reader, run.run, by):
            uses.setdefault(one.name, []).append(one)
            names.add(one.name)
        members += [(name, run.outcome) for name in names]
    return members, {name: call_figures(name, uses[name]) for name in sorted(uses)}


def _plain(one: CallFigures) -> dict[str, object]:
    quantiles = {name: each._asdict() for name, each in one.seconds._asdict().items() if name != "n"}
    return {**one._asdict(), "errors": one.errors._asdict(), "seconds": {"n": one.seconds.n, **quantiles}}
