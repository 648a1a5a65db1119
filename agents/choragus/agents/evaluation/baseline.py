"""The baseline: what an earlier evaluation came to, as a file, and what counts as worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import comb, sqrt
from pathlib import Path

import attrs
import msgspec

from choragus.agents.errors import EvaluationFault
from choragus.agents.figures.formula import Rate, rate

from .report import Report

FORMAT = 1


@attrs.frozen(kw_only=True)
class CaseCount:
    """How many judged trials a case had, and how many of them passed."""

    judged: int
    passed: int

    def __attrs_post_init__(self) -> None:
        if not 0 <= self.passed <= self.judged:
            raise ValueError(f"passed={self.passed} of judged={self.judged}: it is a number from 0 to these")


@attrs.frozen(kw_only=True)
class Baseline:
    """What an evaluation came to, to hold later ones against. The file is JSON, made to be kept under version control:
    of one evaluation it is always the same bytes."""

    evaluation: str
    dataset: str
    digest: str
    agent: str
    manifest: str
    identity: dict[str, object]
    repeats: int
    ended: float
    cost_usd: float | None
    cases: dict[str, CaseCount]
    choragus_baseline: int = FORMAT

    @property
    def passes(self) -> Rate:
        """The share of the judged trials that passed."""
        return _passes(self.cases)

    @classmethod
    def of(cls, report: Report) -> Baseline:
        """The baseline that a report is.

        Raises:
            EvaluationFault: when trials of it were not run, or could not be judged, or it has not passed.
        """
        if report.passed is False:
            raise EvaluationFault(
                f"evaluation {report.id} is no baseline, for it has not passed: mend the agent, or take it as it is "
                "without a baseline and without a share that is to pass"
            )
        if report.missing or report.unjudged:
            raise EvaluationFault(
                f"evaluation {report.id} is no baseline: {report.missing} trials were not run and {report.unjudged} "
                "not judged; run the same again to its end"
            )
        return cls(
            evaluation=report.id,
            dataset=report.dataset,
            digest=report.digest,
            agent=report.agent,
            manifest=report.manifest,
            identity=report.identity,
            repeats=report.repeats,
            ended=report.ended,
            cost_usd=report.figures.cost.value,
            cases={one.name: CaseCount(judged=one.judged, passed=one.passed) for one in report.results},
        )

    @classmethod
    def load(cls, path: str | Path) -> Baseline:
        """Read a baseline.

        Raises:
            EvaluationFault: when the file is missing or no baseline.
        """
        try:
            found = msgspec.json.decode(Path(path).read_bytes(), type=Baseline)
        except FileNotFoundError:
            raise EvaluationFault(f"there is no baseline {path}: write one with --save-baseline {path}") from None
        except (OSError, msgspec.DecodeError) as error:
            raise EvaluationFault(f"{path} is no baseline: {error}") from None
        if found.choragus_baseline != FORMAT:
            raise EvaluationFault(
                f"{path} is a baseline of format {found.choragus_baseline}, and {FORMAT} is known here"
            )
        return found

    def save(self, path: str | Path) -> None:
        """Write it, whole or not at all."""
        target = Path(path)
        beside = target.with_name(f".{target.name}.new")
        beside.write_bytes(msgspec.json.format(msgspec.json.encode(self, order="sorted")) + b"\n")
        beside.replace(target)


@attrs.frozen(kw_only=True)
class Rule:
    """What counts as a regression. Any of these is one:

    1. The pass rate fell: the upper end of the 95 % interval of the difference (now less before, after Newcombe's
       method 10, from the two Wilson intervals) is below `-tolerance`. Both rates are over the cases of both sides.
    2. A case fell: by Fisher's exact test, one-sided, its trials passing no more often than by chance has at most the
       probability `case_level`. Three of three that become none of three are just that, 0.05; fewer repeats show no
       such fall. Each case is looked at alone: of 100 cases that are passed half of the time 1 or 2 fall so by chance.
       0 switches it off.
    3. With `any_worse`: a case passes a smaller share of its trials. For agents that do the same each time.
    4. With `cost`: the lower end of the 95 % interval of the mean cost of a run is above the baseline's mean times
       1 + `cost`.
    """

    tolerance: float = 0.0
    case_level: float = 0.05
    any_worse: bool = False
    cost: float | None = None

    def __attrs_post_init__(self) -> None:
        if not (0 <= self.tolerance < 1 and 0 <= self.case_level < 1 and (self.cost is None or self.cost >= 0)):
            raise EvaluationFault(f"{self}: tolerance and case_level are from 0 to below 1, cost is 0 or more")


def compare(report: Report, baseline: Baseline, rule: Rule) -> Report:
    """The report with what is worse than the baseline, and what else is different."""
    now = {one.name: CaseCount(judged=one.judged, passed=one.passed) for one in report.results}
    shared = [name for name in now if name in baseline.cases]
    if not shared:
        raise EvaluationFault(
            f"baseline {baseline.evaluation} of {baseline.dataset} has no case in common with {report.dataset}"
        )
    return attrs.evolve(
        report,
        compared=baseline.evaluation,
        regressions=tuple(_regressions(report, baseline, rule, now, shared)),
        differences=tuple(_differences(report, baseline, now)),
    )


def difference(before: Rate, now: Rate) -> tuple[float, float, float] | None:
    """now - before with its 95 % interval after Newcombe's method 10; None without trials on a side.

    >>> [round(one, 3) for one in difference(rate(56, 70), rate(48, 80)) or ()]
    [-0.2, -0.334, -0.052]
    """
    values = (before.value, before.low, before.high, now.value, now.low, now.high)
    if any(one is None for one in values):
        return None
    p, p_low, p_high, q, q_low, q_high = [float(one or 0.0) for one in values]
    middle = q - p
    return (
        middle,
        middle - sqrt((q - q_low) ** 2 + (p_high - p) ** 2),
        middle + sqrt((q_high - q) ** 2 + (p - p_low) ** 2),
    )


def fallen(before: CaseCount, now: CaseCount) -> float:
    """The probability that so few or fewer of the passes fall on the trials of now, if nothing has changed (Fisher).

    >>> fallen(CaseCount(judged=3, passed=3), CaseCount(judged=3, passed=0))
    0.05
    """
    passes, trials = before.passed + now.passed, before.judged + now.judged
    least = max(0, passes - before.judged)
    ways = sum(comb(now.judged, k) * comb(before.judged, passes - k) for k in range(least, now.passed + 1))
    return ways / comb(trials, passes)


def _passes(cases: Mapping[str, CaseCount]) -> Rate:
    return rate(sum(one.passed for one in cases.values()), sum(one.judged for one in cases.values()))


def _regressions(
    report: Report, baseline: Baseline, rule: Rule, now: Mapping[str, CaseCount], shared: list[str]
) -> Iterator[str]:
    then, today = (_passes({name: side[name] for name in shared}) for side in (baseline.cases, now))
    moved = difference(then, today)
    if moved is not None and moved[2] < -rule.tolerance:
        fall = f"by {-moved[2]:.1%} to {-moved[1]:.1%} at 95 %"
        yield f"the pass rate fell from {then.value:.1%} to {today.value:.1%}: {fall}"
    for name in shared:
        before, after = baseline.cases[name], now[name]
        if not after.judged or not before.judged:
            continue
        told = f"case {name}: {after.passed} of {after.judged} passed, {before.passed} of {before.judged} before"
        worse = after.passed * before.judged < before.passed * after.judged
        if worse and fallen(before, after) <= rule.case_level + 1e-12:
            yield f"{told} (p = {fallen(before, after):.3f})"
        elif worse and rule.any_worse:
            yield told
    cost = report.figures.cost
    if rule.cost is not None and cost.low is not None and baseline.cost_usd is not None:
        most = baseline.cost_usd * (1 + rule.cost)
        if cost.low > most:
            yield f"a run costs {cost.value:.6f} dollars, at 95 % above {cost.low:.6f}; {most:.6f} may be"


def _differences(report: Report, baseline: Baseline, now: Mapping[str, CaseCount]) -> Iterator[str]:
    if report.agent != baseline.agent:
        yield f"agent: {baseline.agent} before, {report.agent} now"
    if report.manifest != baseline.manifest:
        yield from _changed(baseline.identity, report.identity)
    if report.digest != baseline.digest:
        yield f"the cases or their scorers are not those of before ({baseline.digest[:12]}, {report.digest[:12]})"
    for name, after in now.items():
        before = baseline.cases.get(name)
        if before is None:
            yield f"case {name} is new: {after.passed} of {after.judged} passed"
        elif after.passed * before.judged != before.passed * after.judged:
            way = "worse" if after.passed * before.judged < before.passed * after.judged else "better"
            was = f"{before.passed} of {before.judged}"
            yield f"case {name} is {way}: {after.passed} of {after.judged} passed, {was} before"
    for name in baseline.cases:
        if name not in now:
            yield f"case {name} is gone"


def _changed(before: object, now: object, path: str = "") -> Iterator[str]:
    """What of an identity is another, leaf by leaf."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        for key in sorted({*before, *now}):
            yield from _changed(before.get(key), now.get(key), f"{path}.{key}" if path else str(key))
    elif before != now:
        yield f"{path}: {_told(before)} before, {_told(now)} now"


def _told(value: object) -> str:
    said = msgspec.json.encode(value).decode()
    return said if len(said) <= 60 else f"{said[:57]}..."
