"""The page of who restarts whom: the live tree of a runtime in this process, and what the logbook says of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from choragus.mailbox.reader import EntryRow, Reader
from choragus.supervision.tree import SIBLINGS, TreeNode

from .entries import fields_of
from .fields import text, whole
from .html import Html, cut, h
from .layout import live, nothing
from .listing import link
from .wording import when

LOOK_BACK = 50_000
"""Entries of the file, the last ones, among which failures are looked for."""

SHOWN = 100

PARTS = frozenset({"Orchestrator", "Memory", "Guardrail", "ToolGateway"})
"""The actors that are named after their run."""

TROUBLE = ("actor.failed", "message.parked", "commit.repeated", "system.opened", "actor.suspended")


def supervision(reader: Reader, root: str, tree: TreeNode | None) -> Html:
    """The content of the page."""
    return h(
        "div",
        h("h1", "Supervision"),
        _live(tree, root),
        _from_the_logbook(reader, root),
        class_="page",
    )


def _live(tree: TreeNode | None, root: str) -> Html:
    if tree is None:
        told = (
            "The runtime is in another process, or in none, so its live tree is not seen from here: mount this page in "
            "the service that owns the file. What it has written down stands below."
        )
        return live("live-tree", nothing(told))
    restarts = sum(one.restarts for one in tree.walk())
    told = f"{restarts:,} restarts since it was opened" if restarts else "nothing was restarted since it was opened"
    return live("live-tree", h("h2", "The live tree"), nothing(told), h("ul", _node(tree, root), class_="nodes"))


def _node(node: TreeNode, root: str) -> Html:
    notes = [f"{node.depth:,} waiting" if node.depth else "", f"on {node.current}" if node.current else ""]
    tried = "attempts for each message" if node.kind == "region" else "failed attempts"
    notes.append(f"{node.attempts:,} {tried}" if node.attempts else "")
    strategy = node.strategy
    if strategy is not None:
        notes.append(f"at most {strategy.max_restarts} restarts in {strategy.within:g} s")
    line = [
        h("span", node.state.value, class_=f"state s-{node.state.value}"),
        h(
            "b",
            h("a", node.name, href=link(root, node.name))
            if node.actor in PARTS and node.kind == "actor"
            else node.name,
        ),
        h("span", f" {node.kind} {node.actor}", class_="label"),
        h("span", f" {node.restarts:,} restarts", class_="badge is-bad") if node.restarts else None,
        h("span", " · ".join(filter(None, notes)), class_="notes"),
    ]
    failures = [
        h("li", when(one.at), f" on {one.message or 'no message'}: {cut(one.error, 400)}") for one in node.failures
    ]
    below = [_node(one, root) for one in _picked(node)]
    rest = len(node.children) - SIBLINGS
    below += [h("li", f"and {rest:,} more", class_="nothing")] if rest > 0 else []
    return h(
        "li",
        h("div", line, class_="node"),
        h("ul", failures, class_="failures") if failures else None,
        h("ul", below) if below else None,
    )


def _picked(node: TreeNode) -> list[TreeNode]:
    """Those of its children that are shown, in their order: where there are many, first of all those in trouble."""
    quiet = {id(one): one.state.value == "running" and not one.failures and not one.restarts for one in node.children}
    chosen = {id(one) for one in sorted(node.children, key=lambda one: quiet[id(one)])[:SIBLINGS]}
    return [one for one in node.children if id(one) in chosen]


def _from_the_logbook(reader: Reader, root: str) -> Html:
    found = list(_trouble(reader))
    failed = Counter(_part(fields_of(one)) for one in found if one.kind == "actor.failed")
    opened = [one for one in found if one.kind == "system.opened"]
    unclean = sum(fields_of(one).get("clean") is False for one in opened)
    parts = [h("tr", h("td", part), h("td", f"{count:,}", class_="figure")) for part, count in failed.most_common()]
    counted = h("table", h("thead", h("tr", h("th", "Part"), h("th", "Restarts", class_="figure"))), h("tbody", parts))
    told = f"Opened {len(opened):,} times, {unclean:,} of them after an unclean end; {failed.total():,} turns failed"
    rows = [_row(root, one) for one in found[:SHOWN]]
    head = h("tr", [h("th", name, scope="col") for name in ("When", "What", "Where", "Why")])
    table = h("table", h("thead", head), h("tbody", rows), class_="rows trouble") if rows else None
    more = nothing(f"{told}, among the last {LOOK_BACK:,} entries. The latest {min(SHOWN, len(found))} are listed.")
    return live("restarts", h("h2", "Restarts, as the logbook has them"), more, counted if parts else None, table)


def _trouble(reader: Reader) -> Iterator[EntryRow]:
    """The last entries about failures, the newest first."""
    ((last,),) = reader.rows("SELECT coalesce(max(seq), 0) FROM entry")
    kinds = ", ".join("?" * len(TROUBLE))
    statement = f"SELECT seq FROM entry WHERE seq > ? AND kind IN ({kinds}) ORDER BY seq DESC LIMIT 500"
    rows = reader.rows(statement, int(str(last)) - LOOK_BACK, *TROUBLE)
    for (seq,) in rows:
        yield from reader.log(int(str(seq)) - 1, 1)


def _row(root: str, one: EntryRow) -> Html:
    data = fields_of(one)
    run = one.stream.removeprefix("run/") if one.stream.startswith("run/") else ""
    where = (
        h("a", _part(data), href=link(root, run, f"?all=1&after={one.position - 1}#e{one.position}")) if run else None
    )
    return h(
        "tr",
        h("td", when(one.at, short=True)),
        h("td", _what(one.kind, data.get("clean") is False)),
        h("td", where or _part(data) or "the file"),
        h("td", cut(text(data, "reason") or text(data, "error"), 300), _attempt(whole(data, "attempts"))),
    )


def _what(kind: str, is_unclean: bool) -> str:
    told = {"actor.failed": "restarted", "message.parked": "parked", "commit.repeated": "commit repeated"}
    if kind == "system.opened":
        return "opened after a crash" if is_unclean else "opened"
    return told.get(kind, kind)


def _attempt(number: int) -> Html | None:
    return h("span", f" attempt {number}", class_="badge") if number else None


def _part(data: object) -> str:
    assert isinstance(data, dict)
    return str(data.get("actor", "")).partition("/")[0].removeprefix("choragus.")
