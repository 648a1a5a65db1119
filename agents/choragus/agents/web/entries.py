"""The logbook of a run, a page of it at a time: each entry in a line, and whole when it is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import attrs

from choragus.mailbox.reader import EntryRow, Reader

from .fields import Fields, number, text, texts, whole
from .html import Html, cut, h, spelled
from .layout import live, nothing
from .listing import link, pager
from .wording import dollars, thousands

PAGE = 200

GIST = 220
"""Characters of an entry's gist."""

WHOLE = 3_000
"""Characters of an entry that stand on the page; a longer one has a page of its own."""

QUIET = (
    *("phase", "budget.reserved", "budget.spent", "budget.released", "memory.assembled", "call.intended"),
    *("run.manifest", "memory.decided"),
)
"""Kinds that say how a run went on, and seldom why."""

_SCORE = "gen_ai.evaluation"
"""How the fields of a result begin, as the conventions for telemetry have them."""

_NUMBER = "(SELECT number FROM head WHERE stream = ?)"
_LOUD = f"AND kind NOT IN ({', '.join('?' * len(QUIET))})"


@attrs.frozen(kw_only=True)
class Window:
    """Which entries of a run are shown: those behind a position, or the last ones; and whether all kinds."""

    after: int | None = None
    every: bool = False


@attrs.frozen(kw_only=True)
class Shown:
    """A page of entries. `before` is the position behind which the page before it begins, None where there is none."""

    entries: list[EntryRow]
    total: int
    before: int | None
    behind: int | None


def shown(reader: Reader, stream: str, window: Window) -> Shown:
    """The entries of a window."""
    some, values = ("", ()) if window.every else (_LOUD, QUIET)
    ((total,),) = reader.rows(f"SELECT count(*) FROM entry WHERE stream = {_NUMBER} {some}", stream, *values)
    where = f"SELECT position FROM entry WHERE stream = {_NUMBER} {some} AND position"
    if window.after is None:
        rows = reader.rows(f"{where} > 0 ORDER BY position DESC LIMIT ?", stream, *values, PAGE)
        wanted = sorted(_whole(rows))
    else:
        rows = reader.rows(f"{where} > ? ORDER BY position LIMIT ?", stream, *values, window.after, PAGE)
        wanted = _whole(rows)
    if not wanted:
        return Shown(entries=[], total=int(str(total)), before=None, behind=None)
    first, last = wanted[0], wanted[-1]
    earlier = _whole(reader.rows(f"{where} < ? ORDER BY position DESC LIMIT ?", stream, *values, first, PAGE))
    later = reader.rows(f"{where} > ? LIMIT 1", stream, *values, last)
    return Shown(
        entries=list(_read(reader, stream, wanted)),
        total=int(str(total)),
        before=earlier[-1] - 1 if earlier else None,
        behind=last if later else None,
    )


def of_kinds(reader: Reader, stream: str, kinds: Sequence[str], most: int) -> tuple[list[EntryRow], int]:
    """The last entries of some kinds, the oldest first; and how many there are."""
    some = f"AND kind IN ({', '.join('?' * len(kinds))})"
    ((total,),) = reader.rows(f"SELECT count(*) FROM entry WHERE stream = {_NUMBER} {some}", stream, *kinds)
    statement = f"SELECT position FROM entry WHERE stream = {_NUMBER} {some} ORDER BY position DESC LIMIT ?"
    wanted = sorted(_whole(reader.rows(statement, stream, *kinds, most)))
    return list(_read(reader, stream, wanted)), int(str(total))


def logbook(reader: Reader, root: str, run: str, window: Window) -> Html:
    """The part of a run's page with its entries."""
    page = shown(reader, f"run/{run}", window)
    words = "all entries" if window.every else "entries that tell a story"
    other = h(
        "a",
        "only what tells a story" if window.every else "all entries",
        href=link(root, run, "#logbook" if window.every else "?all=1#logbook"),
    )
    kept = {"all": "1"} if window.every else {}
    place = link(root, run)
    turn = pager(
        place,
        kept,
        ("after", page.before, "Earlier"),
        ("after", page.behind, "Later"),
        f"{thousands(page.total)} {words}",
    )
    rows = [entry(one, place) for one in page.entries]
    body = h("ol", rows, class_="entries") if rows else nothing("There is no entry here.")
    return live(
        "logbook", h("div", h("h2", "Logbook"), h("p", other), class_="head"), turn, body, turn if rows[30:] else None
    )


def entry(one: EntryRow, place: str = "") -> Html:
    """One entry: a line that opens. Where `place` is the address of its run, a long one is whole below that."""
    data = fields_of(one)
    told = spelled(data)
    rest = None
    if place and len(told) > WHOLE:
        told = told[:WHOLE]
        rest = h("p", h("a", "the whole entry", href=f"{place}/entry/{one.position}"))
    line = h(
        "summary",
        h("span", one.position, class_="at"),
        h("span", f"{datetime.fromtimestamp(one.at):%H:%M:%S}", class_="time"),
        h("span", text(data, "call") or text(data, "step"), class_="place"),
        h("span", one.kind, class_=f"kind k-{_tone(one.kind, data)}"),
        h("span", gist(one.kind, data), class_="gist"),
    )
    return h("li", h("details", line, h("pre", told, tabindex="0"), rest, id=f"e{one.position}"))


def fields_of(one: EntryRow) -> Fields:
    """What an entry says; nothing where it is no object."""
    try:
        data = one.data
    except ValueError:
        return {"unreadable": repr(one.body[:200])}
    return data if isinstance(data, dict) else {"value": data}


def gist(kind: str, data: Fields) -> str:
    """What an entry says, in a line."""
    return cut(" · ".join(filter(None, (" ".join(one.split()) for one in _pieces(kind, data)))), GIST)


def _pieces(kind: str, data: Fields) -> Iterator[str]:
    if kind == "model.replied":
        yield f"{whole(data, 'input_tokens'):,} + {whole(data, 'output_tokens'):,} tokens"
        yield dollars(number(data, "cost_usd"))
    for name in (
        "case",
        "agent",
        "tool",
        "status",
        "verdict",
        "model",
        "by",
        "goal",
        "text",
        "outcome",
        "reason",
        "error",
        "why",
    ):
        value = text(data, name)
        if value and not (kind == "model.replied" and name == "agent"):
            yield value
        if name == "tool" and isinstance(data.get("approved"), bool):
            yield "approved" if data["approved"] else "denied"
    calls = data.get("calls")
    if isinstance(calls, list) and calls:
        yield "calls " + ", ".join(str(one.get("name")) if isinstance(one, dict) else str(one) for one in calls)
    if "arguments" in data:
        yield spelled(data["arguments"], indent=None)
    yield " ".join(filter(None, (text(data, f"{_SCORE}.name"), text(data, f"{_SCORE}.score.label"))))
    yield text(data, f"{_SCORE}.explanation")
    for name in ("run", "message", "type", "policies", "texts"):
        yield ", ".join(texts(data, name)) or text(data, name) if name in data else ""


def _tone(kind: str, data: Fields) -> str:
    """The colour of a kind."""
    if (
        data.get("is_error")
        or kind.endswith((".failed", ".refused", ".parked", ".unknown"))
        or kind == "unwind.stopped"
    ):
        return "bad"
    if data.get("approved") is False or data.get("verdict") == "deny" or text(data, f"{_SCORE}.score.label") == "fail":
        return "bad"
    if kind.startswith(("approval.", "limit.")) or data.get("verdict") == "wait":
        return "person"
    return kind.partition(".")[0] if kind.startswith(("model.", "call.", "run.", "step.", "plan.")) else "other"


def _read(reader: Reader, stream: str, wanted: Sequence[int]) -> Iterator[EntryRow]:
    """The entries at these positions, in stretches without large gaps."""
    first = 0
    while first < len(wanted):
        last = first
        while last + 1 < len(wanted) and wanted[last + 1] - wanted[last] < 20:
            last += 1
        inside = set(wanted[first : last + 1])
        entries = reader.read(stream, wanted[first] - 1, wanted[last] - wanted[first] + 1)
        yield from (one for one in entries if one.position in inside)
        first = last + 1


def _whole(rows: Sequence[tuple[object, ...]]) -> list[int]:
    return [int(str(position)) for (position,) in rows]
