"""Finding runs: the filters as they were typed, and the statement that finds a page of them.

No index is needed: what is asked for without a filter is in the order of an index that there is, and a filter reads the
rows of all runs, which are some 10 MB for 10,000.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

import attrs

from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.reader import Reader, ViewRow

PAGE = 50

LAST_PAGE = 1_000_000

_FIELD = "json_extract(CASE WHEN json_valid(CAST(body AS TEXT)) THEN CAST(body AS TEXT) ELSE '{}' END, '$.%s')"


@attrs.frozen(kw_only=True)
class Search:
    """What is looked for; empty fields are none.

    Attributes:
        text: in the goal; letters beyond ASCII are told apart by case.
        since: a day, as 2026-11-20, from which on runs were started.
        fault: what of it could not be understood.
    """

    text: str = ""
    status: str = ""
    agent: str = ""
    tenant: str = ""
    since: str = ""
    page: int = 1
    fault: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> Search:
        """As it stands in an address."""
        fault, page, since = "", query.get("page", "1"), query.get("since", "").strip()
        if not (page.isascii() and page.isdigit() and len(page) < 9 and 1 <= int(page) <= LAST_PAGE):
            fault, page = f"page {page[:20]!r} is none: pages are counted from 1", "1"
        if since and _day(since) is None:
            fault, since = f"since {since[:20]!r} is no day: write it as 2026-11-20", ""
        told = {name: query.get(key, "").strip()[:500] for name, key in _KEYS.items()}
        return cls(**told, since=since, page=int(page), fault=fault)

    @property
    def fields(self) -> dict[str, str]:
        """For an address, without the page."""
        told = {key: str(getattr(self, name)) for name, key in (*_KEYS.items(), ("since", "since"))}
        return {key: value for key, value in told.items() if value}

    def where(self) -> tuple[str, list[object]]:
        """The condition, and its values."""
        terms, values = ["kind = 'run'"], list[object]()
        for name in ("status", "agent", "tenant"):
            if wanted := getattr(self, name):
                terms.append(f"{_FIELD % name} = ?")
                values.append(wanted)
        if self.text:
            terms.append(f"({_FIELD % 'goal'} LIKE ? ESCAPE '\\' OR key LIKE ? ESCAPE '\\')")
            plain = self.text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            values += [f"%{plain}%", f"{plain}%"]
        if self.since:
            terms.append("sort >= ?")
            values.append(_day(self.since))
        return " AND ".join(terms), values


_KEYS = {"text": "q", "status": "status", "agent": "agent", "tenant": "tenant"}


@attrs.frozen(kw_only=True)
class Found:
    """A page of runs, the newest first. `damaged` are the ids of rows that are not what was written."""

    rows: list[ViewRow]
    total: int
    first: int
    damaged: list[str]


def found(reader: Reader, search: Search) -> Found:
    """What a search finds."""
    statement, values = statement_of(search)
    keys = [str(key) for (key,) in reader.rows(statement, *values)]
    where, values = search.where()
    ((total,),) = reader.rows(f"SELECT count(*) FROM view WHERE {where}", *values)
    rows, damaged = list[ViewRow](), list[str]()
    for key in keys:
        try:
            row = reader.view("run", key)
        except CorruptRecord:
            damaged.append(key)
            continue
        rows += [row] if row is not None else []
    return Found(rows=rows, total=int(str(total)), first=(search.page - 1) * PAGE + 1, damaged=damaged)


def statement_of(search: Search) -> tuple[str, list[object]]:
    """The statement for the ids of a page, and its values."""
    where, values = search.where()
    return f"SELECT key FROM view WHERE {where} ORDER BY sort DESC, key DESC LIMIT ? OFFSET ?", [
        *values,
        PAGE,
        (search.page - 1) * PAGE,
    ]


def counts(reader: Reader) -> Counter[str]:
    """How many runs are in each state."""
    rows = reader.rows(f"SELECT {_FIELD % 'status'}, count(*) FROM view WHERE kind = 'run' GROUP BY 1")
    return Counter({str(state): int(str(count)) for state, count in rows if state is not None})


def children(reader: Reader) -> dict[str, list[str]]:
    """The ids of the sub-runs of each run that has any, in the order of their starts; read once for a whole tree."""
    parent = _FIELD % "parent"
    found: dict[str, list[str]] = {}
    for above, run in reader.rows(
        f"SELECT {parent}, key FROM view WHERE kind = 'run' AND {parent} > '' ORDER BY sort, key"
    ):
        found.setdefault(str(above), []).append(str(run))
    return found


def _day(text: str) -> float | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d").timestamp()
    except (ValueError, OverflowError):
        return None
