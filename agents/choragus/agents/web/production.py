"""The page of production figures: of a period, by day or by another group, with their intervals."""

from __future__ import annotations

import time
from collections.abc import Mapping

from choragus.agents.figures.counted import Choice
from choragus.agents.figures.period import period
from choragus.agents.figures.production import GROUPS, production
from choragus.mailbox.reader import Reader

from .evaluations import figures_of, rate_of
from .fields import Fields, number, whole, within
from .html import Html, h
from .layout import nothing
from .picture import Point, plot
from .wording import dollars, thousands

SINCE = "30d"
MOST = 200
"""Groups that are listed."""


def production_page(reader: Reader, root: str, query: Mapping[str, str]) -> Html:
    """The content of the page; it is not replaced by news, for it reads every run."""
    since, by, fault = query.get("since", SINCE).strip(), query.get("by", "day"), ""
    try:
        asked = period(since, now=time.time())
    except ValueError as error:
        asked, fault = period(SINCE, now=time.time()), str(error)
    by = by if by in GROUPS else "day"
    found = production(reader, Choice(period=asked), by)
    groups = {name: one.as_dict() for name, one in sorted(found.groups.items())[-MOST:]}
    total = found.total.as_dict()
    told = f"{thousands(found.total.ended)} runs have ended in it, {thousands(found.total.open)} go on"
    return h(
        "div",
        h("div", h("h1", "Figures"), h("p", told), class_="head"),
        _form(root, since, by),
        h("p", fault, role="alert", class_="fault") if fault else None,
        figures_of(total),
        h("section", h("h2", "Over time"), h("div", _plots(groups), class_="plots"))
        if by == "day" and groups
        else None,
        h("section", h("h2", f"By {by}"), _table(groups)),
        class_="page",
    )


def _form(root: str, since: str, by: str) -> Html:
    options = [h("option", one, value=one, selected=one == by) for one in GROUPS]
    return h(
        "form",
        h(
            "div",
            h("label", "Since", for_="since"),
            h("input", id="since", name="since", value=since, placeholder=SINCE),
        ),
        h("div", h("label", "By", for_="by"), h("select", options, id="by", name="by")),
        h("button", "Show"),
        class_="filters",
        action=f"{root}/figures",
        method="get",
    )


def _plots(groups: Mapping[str, Fields]) -> list[Html]:
    rates = (("completion", "Completion rate"), ("errors", "Error rate"), ("escalation", "Escalation frequency"))
    plots = [plot(_points(groups, key), told, most=1.0, unit="%") for key, told in rates]
    return [*plots, plot(_points(groups, "cost"), "Cost per run", unit="$")]


def _points(groups: Mapping[str, Fields], key: str) -> list[Point]:
    points: list[Point] = []
    for name, figures in groups.items():
        told = within(figures, key)
        if told.get("value") is None:
            continue
        known = told.get("low") is not None and told.get("high") is not None
        low, high = (number(told, "low"), number(told, "high")) if known else (None, None)
        points.append(Point(at=name, value=number(told, "value"), low=low, high=high, tone="model"))
    return points


def _table(groups: Mapping[str, Fields]) -> Html:
    if not groups:
        return nothing("There is nothing to group.")
    names = ("Group", "Ended", "Completion", "Errors", "Escalation", "Cost per run")
    head = h("tr", [h("th", name, scope="col") for name in names])
    return h("table", h("thead", head), h("tbody", [_row(*one) for one in groups.items()]), class_="rows")


def _row(name: str, figures: Fields) -> Html:
    rates = [h("td", rate_of(figures, key), data_name=key) for key in ("completion", "errors", "escalation")]
    cost = dollars(number(within(figures, "cost"), "value"))
    return h(
        "tr",
        h("td", name or "(none)"),
        h("td", thousands(whole(figures, "ended")), data_name="ended"),
        rates,
        h("td", cost, data_name="cost per run"),
    )
