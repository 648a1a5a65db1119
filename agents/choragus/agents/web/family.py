"""Which runs belong to a run: those above and below it, what it was forked from, and the thread it is part of."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import attrs

from choragus.mailbox.citation import FORKED
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.reader import Reader, ViewRow

from .entries import fields_of
from .fields import number, text, whole
from .html import Html, cut, h
from .layout import live
from .listing import link
from .search import children
from .wording import dollars, status, took

MOST = 200
"""Runs of a tree that are shown."""

DEEPEST = 20

_FORKS = """
SELECT head.stream FROM head JOIN entry ON entry.stream = head.number AND entry.position = 1
WHERE head.stream LIKE 'run/%' AND entry.kind = ?
"""


@attrs.frozen(kw_only=True)
class Kin:
    """One run of a tree: how deep it stands, and what it is to the run that is looked at."""

    row: ViewRow
    depth: int
    word: str = ""


def family(reader: Reader, root: str, row: ViewRow) -> Html | None:
    """The part of a run's page about its tree; None where it stands alone."""
    above = list(_above(reader, row))[::-1]
    tree = [Kin(row=one, depth=depth) for depth, one in enumerate(above)]
    tree.append(Kin(row=row, depth=len(above), word="this run"))
    tree += islice(_below(reader, children(reader), row, len(above) + 1), MOST)
    related = [*_forks(reader, root, row), *_thread(reader, root, row)]
    if len(tree) == 1 and not related:
        return None
    rows = [_row(root, one, row.key) for one in tree] if len(tree) > 1 else []
    table = h("table", h("thead", _head()), h("tbody", rows), class_="tree") if rows else None
    return live("tree", h("h2", "Tree"), table, h("ul", related, class_="plain") if related else None)


def _head() -> Html:
    names = (("Run", None), ("Status", None), ("Tokens", "figure"), ("Cost", "figure"), ("Took", "figure"))
    return h("tr", [h("th", name, scope="col", class_=kind) for name, kind in names])


def _row(root: str, one: Kin, here: str) -> Html:
    run = one.row.data
    named = f"{text(run, 'agent')}: {cut(' '.join(text(run, 'goal').split()), 90)}"
    inner = h("strong", named) if one.row.key == here else h("a", named, href=link(root, one.row.key))
    branch = h("span", "└ " if one.depth else "", class_="branch", aria_hidden="true")
    return h(
        "tr",
        h("td", branch, inner, class_=f"deep-{min(one.depth, 8)}"),
        h("td", status(text(run, "status"))),
        h("td", f"{whole(run, 'input_tokens') + whole(run, 'output_tokens'):,}", class_="figure"),
        h("td", dollars(number(run, "cost_usd")), class_="figure"),
        h("td", took(number(run, "started"), number(run, "ended")), class_="figure"),
    )


def _above(reader: Reader, row: ViewRow) -> Iterator[ViewRow]:
    for _ in range(DEEPEST):
        found = look(reader, text(row.data, "parent"))
        if found is None:
            return
        yield found
        row = found


def _below(reader: Reader, known: Mapping[str, list[str]], row: ViewRow, depth: int) -> Iterator[Kin]:
    if depth > DEEPEST:
        return
    for id in known.get(row.key, ()):
        child = look(reader, id)
        if child is not None:
            yield Kin(row=child, depth=depth)
            yield from _below(reader, known, child, depth + 1)


def _forks(reader: Reader, root: str, row: ViewRow) -> Iterator[Html]:
    for one in reader.read(f"run/{row.key}", 0, 1):
        if one.kind == FORKED:
            data = fields_of(one)
            of = text(data, "run")
            yield h("li", "forked from ", _named(root, of), f" at {whole(data, 'position')}, by {text(data, 'by')}")
    for (stream,) in reader.rows(_FORKS, FORKED):
        for one in reader.read(str(stream), 0, 1):
            data = fields_of(one)
            if text(data, "run") == row.key:
                fork = str(stream).removeprefix("run/")
                yield h("li", f"forked at {whole(data, 'position')} into ", _named(root, fork))


def _thread(reader: Reader, root: str, row: ViewRow) -> Iterator[Html]:
    run = row.data
    if text(run, "thread"):
        yield h("li", f"part of the conversation {text(run, 'name') or text(run, 'thread')!r}")
    for name, word in (("follows", "goes on from "), ("followed_by", "goes on in ")):
        if text(run, name):
            yield h("li", word, _named(root, text(run, name)))


def _named(root: str, run: str) -> Html:
    return h("a", run, href=link(root, run))


def look(reader: Reader, run: str) -> ViewRow | None:
    """The row of a run; None where it is missing or damaged."""
    try:
        return reader.view("run", run) if run else None
    except CorruptRecord:
        return None
