"""What people decided, by tool: whether what models want to do is what people let them do. Standard library only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from choragus.mailbox.reader import Reader

from .calls import entries
from .counted import number
from .formula import Quantiles, Rate, quantiles, rate
from .period import ALWAYS, Period

DEADLINE = "deadline"
"""Who decides when nobody has in time."""

ANSWERS = ("approved", "edited", "denied", "answered")
"""What a person may decide."""

_KINDS = ("approval.requested", "approval.decided", "approval.ruled", "run.ended")


class Decisions(NamedTuple):
    """What became of the questions about one tool that were asked in a period.

    Each is one of approved (as it was asked), edited (approved with other arguments, `fields` says how often which),
    denied, answered (a question of the model's), expired (nobody decided in time), withdrawn (the run ended first) and
    waiting: together they are `asked`. `ruled` were approved by standing rules and asked of nobody.

    `untouched` is the quality signal: approved among approved, edited and denied. `seconds` is the time that people
    took to decide, `by` how often each of them decided what. What is about no tool stands under `(ceiling)`, say.
    """

    tool: str
    asked: int
    approved: int
    edited: int
    denied: int
    answered: int
    expired: int
    withdrawn: int
    waiting: int
    ruled: int
    untouched: Rate
    seconds: Quantiles
    fields: dict[str, int]
    by: dict[str, dict[str, int]]

    def as_dict(self) -> dict[str, object]:
        """All of it in plain JSON types."""
        seconds = {name: each._asdict() for name, each in self.seconds._asdict().items() if name != "n"}
        return {
            **self._asdict(),
            "untouched": self.untouched._asdict(),
            "seconds": {"n": self.seconds.n, **seconds},
        }


class _Tally:
    """The questions about one tool, as they are read."""

    def __init__(self) -> None:
        self.ends: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()
        self.by: dict[str, Counter[str]] = {}
        self.seconds: list[float] = []

    def decide(self, data: Mapping[str, object], seconds: float) -> None:
        """One question was decided."""
        by, what = str(data.get("by", "")), _what(data)
        self.ends[what] += 1
        if what == "expired":
            return
        self.seconds.append(max(0.0, seconds))
        self.by.setdefault(by, Counter())[what] += 1
        if what == "edited":
            self.fields.update(_changed(data))

    def told(self, tool: str) -> Decisions:
        """The figures."""
        ends = self.ends
        asked = sum(count for what, count in ends.items() if what != "ruled")
        return Decisions(
            tool=tool,
            asked=asked,
            approved=ends["approved"],
            edited=ends["edited"],
            denied=ends["denied"],
            answered=ends["answered"],
            expired=ends["expired"],
            withdrawn=ends["withdrawn"],
            waiting=ends["waiting"],
            ruled=ends["ruled"],
            untouched=rate(ends["approved"], ends["approved"] + ends["edited"] + ends["denied"]),
            seconds=quantiles(self.seconds),
            fields=dict(sorted(self.fields.items())),
            by={name: dict(sorted(self.by[name].items())) for name in sorted(self.by)},
        )


def review(reader: Reader, period: Period = ALWAYS, *, agent: str = "", tenant: str = "") -> list[Decisions]:
    """What people decided about the questions that were asked in a period, by tool in the order of their names.

    A question that was put to further approvers counts as one, from when it was first asked. Calls of unknown outcome,
    which a person settles, are no questions of this kind.
    """
    tallies: dict[str, _Tally] = {}
    for view in reader.views("run"):
        row = view.data
        if (agent and row.get("agent") != agent) or (tenant and row.get("tenant", "") != tenant):
            continue
        if _overlaps(period, row):
            _read(reader, view.key, period, tallies)
    return [tallies[tool].told(tool) for tool in sorted(tallies)]


def _read(reader: Reader, run: str, period: Period, tallies: dict[str, _Tally]) -> None:
    open_: dict[str, tuple[str, float]] = {}
    has_ended = False
    for kind, at, data in entries(reader, run, _KINDS):
        call = str(data.get("call", ""))
        if kind == "run.ended":
            has_ended = True
        elif kind == "approval.requested":
            open_[call] = _about(data), at
        elif kind == "approval.ruled" and at in period:
            tallies.setdefault(_about(data), _Tally()).ends["ruled"] += 1
        elif kind == "approval.decided" and call in open_:
            tool, asked = open_.pop(call)
            if asked in period:
                tallies.setdefault(tool, _Tally()).decide(data, at - asked)
    for tool, asked in open_.values():
        if asked in period:
            tallies.setdefault(tool, _Tally()).ends["withdrawn" if has_ended else "waiting"] += 1


def _overlaps(period: Period, row: Mapping[str, object]) -> bool:
    ended = number(row, "ended")
    return not (
        (ended and period.is_before(ended)) or (period.until is not None and number(row, "started") >= period.until)
    )


def _about(data: Mapping[str, object]) -> str:
    return str(data.get("tool") or f"({data.get('kind', 'text')})")


def _what(data: Mapping[str, object]) -> str:
    if data.get("by") == DEADLINE:
        return "expired"
    if not data.get("approved"):
        return "denied"
    if "answer" in data:
        return "answered"
    return "edited" if data.get("changed_by") else "approved"


def _changed(data: Mapping[str, object]) -> list[str]:
    """The names of the arguments that were changed."""
    now, was = data.get("arguments"), data.get("was")
    if not isinstance(now, dict) or not isinstance(was, dict):
        return []
    return sorted(name for name in {*now, *was} if now.get(name) != was.get(name))
