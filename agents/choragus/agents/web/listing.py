"""The page of runs: filters, a table, and the way to its other pages."""

from __future__ import annotations

from collections import Counter
from urllib.parse import quote, urlencode

from choragus.mailbox.reader import Reader, ViewRow

from .fields import number, text, texts, whole
from .html import Html, cut, h
from .layout import live, nothing
from .search import PAGE, Found, Search, counts, found
from .wording import FINAL, STATUSES, dollars, status, thousands, took, when

HEADER = ("Status", "Goal", "Agent", "Steps", "Tokens", "Cost", "Took", "Started")
FIGURES = frozenset({"Steps", "Tokens", "Cost", "Took"})

GOAL = 160
"""Characters of a goal in the table."""


def listing(reader: Reader, root: str, search: Search) -> Html:
    """The content of the page."""
    runs, states = found(reader, search), counts(reader)
    return h(
        "div",
        h("div", h("h1", "Runs"), _overview(root, states), class_="head"),
        _form(root, search, bool(search.fields)),
        h("p", search.fault, role="alert", class_="fault") if search.fault else None,
        live("runs", _table(root, runs), _pager(root, search, runs)),
        class_="page",
    )


def link(root: str, run: str, rest: str = "") -> str:
    """Where a run's page is."""
    return f"{root}/run/{quote(run, safe='')}{rest}"


def _overview(root: str, states: Counter[str]) -> Html:
    """How many runs are in each state, each a filter."""
    shown = [name for name in STATUSES if states[name]]
    shown += sorted(set(states) - set(STATUSES))
    links = [
        h("li", h("a", status(name), " ", thousands(states[name]), href=f"{root}/?{urlencode({'status': name})}"))
        for name in shown
    ]
    return live("overview", *links, tag="ul", class_="overview", aria_label="Runs by state")


def _form(root: str, search: Search, is_narrowed: bool) -> Html:
    options = [h("option", "any", value="")]
    options += [h("option", name, value=name, selected=name == search.status) for name in STATUSES]
    return h(
        "form",
        _field("Goal or run", "q", search.text, type="search", id="search", placeholder="text in the goal"),
        h("div", h("label", "Status", for_="status"), h("select", options, id="status", name="status")),
        _field("Agent", "agent", search.agent),
        _field("Tenant", "tenant", search.tenant),
        _field("Since", "since", search.since, type="date"),
        h("button", "Search"),
        h("a", "Clear", href=f"{root}/") if is_narrowed else None,
        role="search",
        class_="filters",
        action=f"{root}/",
        method="get",
    )


def _field(label: str, name: str, value: str, *, type: str = "text", id: str = "", placeholder: str = "") -> Html:
    id = id or name
    inner = h("input", id=id, name=name, value=value, type=type, placeholder=placeholder or None, autocomplete="off")
    return h("div", h("label", label, for_=id), inner, class_=f"field-{name}")


def _table(root: str, runs: Found) -> Html:
    if not runs.rows and not runs.damaged:
        return nothing("No run is like that." if runs.total == 0 else "There is no such page.")
    head = h("tr", [h("th", name, scope="col", class_="figure" if name in FIGURES else None) for name in HEADER])
    rows = [_row(root, one) for one in runs.rows]
    rows += [
        h("tr", h("td", f"run {id} is not what was written: see choragus verify", colspan=8)) for id in runs.damaged
    ]
    return h("table", h("thead", head), h("tbody", rows), class_="runs rows")


def _row(root: str, row: ViewRow) -> Html:
    run, state = row.data, text(row.data, "status")
    waits = texts(run, "waits") if state not in FINAL else []
    goal = cut(" ".join(text(run, "goal").split()), GOAL) or "(no goal)"
    mark = h("span", "sub-run", class_="badge") if run.get("parent") else None
    tenant = h("span", text(run, "tenant"), class_="badge") if run.get("tenant") else None
    below = h("span", cut("; ".join(waits), GOAL), class_="waits") if waits else None
    tokens = whole(run, "input_tokens") + whole(run, "output_tokens")
    return h(
        "tr",
        h("td", status(state), class_="c-status"),
        h("td", h("a", goal, href=link(root, row.key), class_="row"), mark, below, class_="c-goal"),
        h("td", text(run, "agent"), tenant, class_="c-agent"),
        h("td", thousands(whole(run, "steps")), class_="figure c-steps"),
        h("td", thousands(tokens), class_="figure c-tokens"),
        h("td", dollars(number(run, "cost_usd")), class_="figure c-cost"),
        h("td", took(number(run, "started"), number(run, "ended")), class_="figure c-took"),
        h("td", when(number(run, "started"), short=True), class_="c-started"),
        id=f"row-{row.key}",
        title=f"run {row.key}",
    )


def _pager(root: str, search: Search, runs: Found) -> Html | None:
    if not runs.total:
        return None
    last = min(runs.first + PAGE - 1, runs.total)
    return pager(
        f"{root}/",
        search.fields,
        ("page", search.page - 1 if search.page > 1 else None, "Newer"),
        ("page", search.page + 1 if last < runs.total else None, "Older"),
        f"{thousands(runs.first)} to {thousands(last)} of {thousands(runs.total)}",
    )


def pager(
    place: str,
    kept: dict[str, str],
    before: tuple[str, int | None, str],
    behind: tuple[str, int | None, str],
    told: str,
) -> Html:
    """The way to what stands before and behind: each the name of a field, its value, and the link's words."""

    def step(key: str, value: int | None, name: str, rel: str) -> Html:
        if value is None:
            return h("span", name, class_="off", aria_disabled="true")
        return h("a", name, href=f"{place}?{urlencode({**kept, key: str(value)})}", rel=rel)

    return h(
        "nav",
        step(*before, rel="prev"),
        h("span", told),
        step(*behind, rel="next"),
        class_="pager",
        aria_label="Paging",
    )
