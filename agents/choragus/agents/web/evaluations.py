"""The pages of evaluations: their figures over time with intervals, what they cost, and one of them in full."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from urllib.parse import quote

from choragus.agents.cli.text import duration, money
from choragus.mailbox.reader import EntryRow, Reader, ViewRow

from .entries import entry, fields_of
from .fields import Fields, each, number, text, whole, within
from .html import Html, cut, h, joined, spelled
from .layout import figure, live, nothing
from .listing import link
from .picture import Point, plot
from .wording import dollars, when

MOST = 200
"""Evaluations that are shown, the latest."""

ENTRIES = 500

RATES = (
    ("passes", "Trials passed"),
    ("completion", "Completion rate"),
    ("errors", "Error rate"),
    ("escalation", "Escalation frequency"),
)


def evaluations(reader: Reader, root: str) -> Html:
    """The content of the page."""
    rows = list(reader.views("evaluation", newest=True, limit=MOST))
    title = h("h1", "Evaluations")
    if not rows:
        told = "No evaluation is stored in this file. One is when an agent was tried on a dataset."
        return h("div", title, live("evaluations", nothing(told)), class_="page")
    groups: dict[tuple[str, str], list[ViewRow]] = {}
    for row in rows:
        groups.setdefault((text(row.data, "agent"), text(row.data, "dataset")), []).append(row)
    parts = [_group(root, name, list(reversed(some))) for name, some in groups.items()]
    return h("div", title, live("evaluations", parts, _table(root, rows)), class_="page")


def evaluation(reader: Reader, root: str, row: ViewRow) -> Html:
    """The page of one."""
    told = row.data
    facts = [
        ("agent", text(told, "agent")),
        ("dataset", text(told, "dataset")),
        ("version", text(told, "manifest")[:12]),
    ]
    facts += [("cases", text(told, "cases")), ("repeats", text(told, "repeats"))]
    entries = list(reader.read(f"evaluation/{row.key}", 0, ENTRIES))
    lines = [entry(one) for one in entries]
    return h(
        "div",
        h("p", [h("span", h("span", f"{name} ", class_="label"), value) for name, value in facts], class_="facts"),
        h("h1", f"Evaluation {row.key}"),
        h("p", _verdict(told), " ended ", when(number(told, "ended"))),
        h("section", h("h2", "Figures"), figures_of(within(told, "figures"))),
        _cases(root, entries),
        h("section", h("h2", "Details"), h("ol", lines, class_="entries") if lines else nothing("None are stored.")),
        class_="page",
    )


def _cases(root: str, entries: Iterable[EntryRow]) -> Html | None:
    """How often each case passed, why it did not, and the runs of its trials."""
    cases: dict[str, list[Fields]] = {}
    for one in entries:
        if one.kind == "trial.ended":
            cases.setdefault(text(data := fields_of(one), "case"), []).append(data)
    names = ("Case", "Passed", "Why not", "Runs")
    head = h("tr", [h("th", name, scope="col") for name in names])
    rows = h("tbody", [_case(root, *one) for one in cases.items()])
    return h("section", h("h2", "Cases"), h("table", h("thead", head), rows, class_="rows")) if cases else None


def _case(root: str, name: str, trials: Sequence[Fields]) -> Html:
    failed = [[one for one in each(trial, "scores") if one.get("passed") is False] for trial in trials]
    passed = sum(text(trial, "status") == "completed" and not bad for trial, bad in zip(trials, failed, strict=True))
    why = dict.fromkeys(f"{text(one, 'name')}: {text(one, 'reason')}" for bad in failed for one in bad)
    why |= dict.fromkeys(text(trial, "reason") for trial in trials if text(trial, "reason"))
    runs = [h("a", text(trial, "run"), " ", href=link(root, text(trial, "run"))) for trial in trials]
    kind = "completed" if passed == len(trials) else "failed"
    told = h("span", f"{passed} of {len(trials)}", class_=f"status is-{kind}")
    return h("tr", h("td", name), h("td", told), h("td", cut("; ".join(why), 400)), h("td", runs))


def figures_of(figures: Fields) -> Html:
    """Figures as they were computed: the known ones by name, and all of them as JSON."""
    known = [(name, told) for key, name in RATES if (told := rate_of(figures, key))]
    if cost := within(figures, "cost"):
        known.append(("Cost per run", f"{dollars(number(cost, 'value'))}{_interval(cost, money)}"))
    if figures.get("cost_per_completed") is not None:
        known.append(("Cost per completed run", dollars(number(figures, "cost_per_completed"))))
    for key, name in (("seconds", "Time to completion"), ("active", "of it without waiting")):
        middle = within(within(figures, key), "median")
        if middle.get("value") is not None:
            known.append((name, f"{duration(number(middle, 'value'))}{_interval(middle, duration)}"))
    rows = h("dl", [figure(name, told) for name, told in known], class_="figures")
    return joined(rows, h("details", h("summary", "all figures"), h("pre", spelled(figures), tabindex="0")))


def _group(root: str, name: tuple[str, str], rows: Sequence[ViewRow]) -> Html:
    """One agent on one dataset: what became of the figures, the oldest first."""
    rates = [(list(_rates(root, rows, key)), told) for key, told in RATES]
    plots = [plot(points, told, most=1.0, unit="%") for points, told in rates if points]
    costs = [
        Point(
            at=_day(row), value=number(cost, "value"), low=_end(cost, "low"), high=_end(cost, "high"), to=_to(root, row)
        )
        for row in rows
        if (cost := within(within(row.data, "figures"), "cost")).get("value") is not None
    ]
    plots += [plot(costs, "Cost per run", unit="$")] if costs else []
    times = [
        Point(
            at=_day(row), value=number(half, "value"), low=_end(half, "low"), high=_end(half, "high"), to=_to(root, row)
        )
        for row in rows
        if (half := within(within(within(row.data, "figures"), "seconds"), "median")).get("value") is not None
    ]
    plots += [plot(times, "Time to completion, median", unit="s")] if times else []
    agent, dataset = name
    return h("section", h("h2", f"{agent} on {dataset}"), h("div", plots, class_="plots"))


def _rates(root: str, rows: Iterable[ViewRow], key: str) -> Iterable[Point]:
    for row in rows:
        rate = within(within(row.data, "figures"), key)
        if rate.get("value") is not None:
            tone = {True: "good", False: "bad"}.get(row.data.get("passed"), "model")  # type: ignore[call-overload]
            yield Point(
                at=_day(row),
                value=number(rate, "value"),
                low=_end(rate, "low"),
                high=_end(rate, "high"),
                to=_to(root, row),
                tone=tone,
            )


def _table(root: str, rows: Sequence[ViewRow]) -> Html:
    names = (
        "Verdict",
        "Evaluation",
        "Agent",
        "Dataset",
        "Cases",
        "Trials passed",
        "Completion",
        "Errors",
        "Cost per run",
        "Ended",
    )
    head = h("tr", [h("th", name, scope="col") for name in names])
    return h(
        "section",
        h("h2", "All of them"),
        h("table", h("thead", head), h("tbody", [_row(root, one) for one in rows]), class_="rows"),
    )


def _row(root: str, row: ViewRow) -> Html:
    one = row.data
    figures = within(one, "figures")
    cost = within(figures, "cost")
    return h(
        "tr",
        h("td", _verdict(one)),
        h("td", h("a", row.key, href=_to(root, row), class_="row")),
        h("td", text(one, "agent"), " ", h("code", text(one, "manifest")[:8])),
        h("td", cut(text(one, "dataset"), 60)),
        h("td", f"{text(one, 'cases')} x {whole(one, 'repeats') or 1}", data_name="cases"),
        h("td", rate_of(figures, "passes"), data_name="trials passed"),
        h("td", rate_of(figures, "completion"), data_name="completion"),
        h("td", rate_of(figures, "errors"), data_name="errors"),
        h("td", dollars(number(cost, "value")) if cost else "", data_name="cost per run"),
        h("td", when(number(one, "ended"), short=True)),
    )


def _verdict(one: Fields) -> Html:
    passed = one.get("passed")
    word = "passed" if passed is True else "failed" if passed is False else "no baseline"
    kind = {"passed": "completed", "failed": "failed"}.get(word, "other")
    return h("span", word, class_=f"status is-{kind}")


def rate_of(figures: Fields, key: str) -> str:
    """A rate with its interval, as a share of a hundred."""
    rate = within(figures, key)
    if rate.get("value") is None:
        return ""
    return f"{number(rate, 'value') * 100:.0f} %{_interval(rate, lambda share: f'{share * 100:.0f} %')}"


def _interval(told: Fields, words: object) -> str:
    assert callable(words)
    low, high = _end(told, "low"), _end(told, "high")
    return "" if low is None or high is None or not high else f" ({words(low)} to {words(high)})"


def _end(told: Fields, name: str) -> float | None:
    return None if told.get(name) is None else number(told, name)


def _day(row: ViewRow) -> str:
    return f"{datetime.fromtimestamp(number(row.data, 'ended') or row.sort):%d %b %H:%M}"


def _to(root: str, row: ViewRow) -> str:
    return f"{root}/evaluation/{quote(row.key, safe='')}"
