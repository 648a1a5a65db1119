"""A report as a person reads it, at 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from textwrap import wrap

from choragus.agents.figures.formula import Mean, Quantile, Rate

from .report import CaseResult, Report

WIDTH = 80
NAME = 24
"""Columns for the name of a case."""

LONGEST = 400
"""Characters of one difference."""

WHY = WIDTH - NAME - 28
"""Columns for why it did not pass."""


def printed(report: Report) -> str:
    """The report in plain text; what a model or a tool has written is shown on one line, with escapes."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    figures = report.figures
    yield _cut(f"evaluation {report.id}: agent {report.agent} ({report.manifest[:12]})", WIDTH)
    tried = f"{len(report.cases)} cases, {report.repeats} times each"
    yield _cut(f"{report.dataset}: {tried}; scorers: {_listed(report.scorers)}", WIDTH)
    if report.stopped:
        yield _cut(f"stopped, {report.missing} trials were not run: {report.stopped}", WIDTH)
    yield ""
    yield f"{'figure':<26}{'value':>12}   95 % interval"
    yield _rate("pass rate", report.passes)
    for k in sorted({1, report.repeats} - {1}):
        yield _mean(f"pass^{k}  all of {k}", report.pass_all(k), "{:.1%}")
        yield _mean(f"pass@{k}  one of {k}", report.pass_at(k), "{:.1%}")
    yield _rate("completion rate", figures.completion)
    yield _rate("error rate", figures.errors)
    yield _rate("escalation frequency", figures.escalation)
    yield _mean("cost per run", figures.cost, "${:.6f}")
    yield _quantile("time to completion, p50", figures.seconds.median)
    yield _quantile("time to completion, p90", figures.seconds.p90)
    if report.judging_usd:
        yield f"{'cost of judges, in all':<26}{f'${report.judging_usd:.6f}':>12}"
    if report.unjudged:
        yield f"{'trials without a verdict':<26}{report.unjudged:>12}   a scorer failed: no pass and no failure"
    yield ""
    yield f"{'case':<{NAME}}{'passed':>8}{'cost':>11}{'time':>9}  why not"
    yield from map(_case, report.results)
    if report.compared:
        yield ""
        yield _cut(f"against baseline {report.compared}:", WIDTH)
        for one in (*(f"REGRESSION  {each}" for each in report.regressions), *report.differences):
            yield from wrap(_cut(one, LONGEST), WIDTH, initial_indent="  ", subsequent_indent="      ")
        if not report.regressions and not report.differences:
            yield "  nothing is different"
    yield ""
    yield _verdict(report)


def _verdict(report: Report) -> str:
    if report.passed is True:
        return "passed"
    if report.passed is False:
        share, demanded = report.passes.value, report.at_least
        if demanded is not None and share is not None and share < demanded:
            return f"not passed: {share:.1%} of the trials passed, and {demanded:.1%} are demanded"
        many = len(report.regressions)
        return f"not passed: {many} {'regression' if many == 1 else 'regressions'}"
    if report.missing or report.unjudged:
        return f"undecided: {report.missing} trials were not run, {report.unjudged} have no verdict"
    return "nothing was demanded: give a baseline, or the share that is to pass"


def _case(one: CaseResult) -> str:
    count = f"{one.passed}/{one.judged}" if one.judged else "-"
    short = f"{_cut(one.name, NAME - 1):<{NAME}}{count:>8}{f'${one.cost_usd:.5f}':>11}{_time(one.seconds):>9}"
    why = "" if one.passed == one.trials else one.why
    return f"{short}  {_cut(why, WHY - 2)}".rstrip()


def _rate(name: str, one: Rate) -> str:
    if one.value is None or one.low is None or one.high is None:
        return f"{name:<26}{'-':>12}"
    return f"{name:<26}{f'{one.value:.1%}':>12}   {one.low:.1%} to {one.high:.1%}  ({one.k} of {one.n})"


def _mean(name: str, one: Mean, form: str) -> str:
    if one.value is None:
        return f"{name:<26}{'-':>12}"
    interval = "" if one.low is None or one.high is None else f"   {form.format(one.low)} to {form.format(one.high)}"
    return f"{name:<26}{form.format(one.value):>12}{interval}"


def _quantile(name: str, one: Quantile) -> str:
    if one.value is None:
        return f"{name:<26}{'-':>12}"
    ends = [f"{word} {_time(end)}" for word, end in (("from", one.low), ("to", one.high)) if end is not None]
    return f"{name:<26}{_time(one.value):>12}{'   ' + ' '.join(ends) if ends else ''}"


def _time(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"


def _cut(text: str, width: int) -> str:
    """One line of plain characters: what is judged may hold anything."""
    plain = "".join(one if one.isprintable() else " " for one in text)
    return plain if len(plain) <= width else f"{plain[: width - 1]}…"
