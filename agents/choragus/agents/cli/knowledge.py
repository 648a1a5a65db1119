"""`choragus documents`: what the libraries of a file hold."""

from __future__ import annotations

import json
from collections.abc import Iterator

from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.reader import Reader, digest

from .command import Commands, add_json, reading
from .exit import Exit, Refused
from .glance import Glance
from .row import Fields, text_of
from .text import as_json, counted, visible

PREFIX = "library/"
"""How the names of the collections begin that are libraries."""

PAGE = 200
"""Parts that are read at a time."""

_COLUMNS = "number, collection, id, subject, at, text, fields, vector"


def declare(commands: Commands) -> None:
    """`documents`."""
    one = reading(
        commands,
        "documents",
        show_documents,
        "One line for each library, by namespace and name; or every document of one of them, as JSON, one\nto a line.",
        "choragus documents runs.db\n  choragus documents runs.db main/facts > facts.jsonl",
    )
    one.add_argument("library", metavar="LIBRARY", nargs="?", help="as it is listed: NAMESPACE/NAME")
    add_json(one, "the list as JSON too; documents are JSON in any case")


def show_documents(glance: Glance) -> Exit:
    """List libraries, or export one."""
    wanted: str | None = glance.asked.library
    known = _libraries(glance.reader)
    if wanted is None:
        if not known and not glance.asked.json:
            print(visible(f"no libraries in {glance.file}"))
        for name, documents in known.items():
            said = visible(f"{name}  {counted(documents, 'part')}")
            print(json.dumps({"library": name, "parts": documents}) if glance.asked.json else said)
        return Exit.OK
    if wanted not in known:
        raise Refused(f"no library {wanted!r} in {glance.file}: list them with `{glance.command('documents')}`")
    for record in _records(glance.reader, PREFIX + wanted):
        print(as_json(record))
    return Exit.OK


def _libraries(reader: Reader) -> dict[str, int]:
    """How many parts each library has."""
    rows = reader.rows("SELECT name, documents FROM collection ORDER BY name")
    return {str(name)[len(PREFIX) :]: int(str(count)) for name, count in rows if str(name).startswith(PREFIX)}


def _records(reader: Reader, collection: str) -> Iterator[Fields]:
    """Every document of a collection, in the order in which they were put."""
    parts: list[tuple[object, ...]] = []
    for part in _parts(reader, collection):
        if parts and _whole(part) != _whole(parts[0]):
            yield _record(parts)
            parts.clear()
        parts.append(part)
    if parts:
        yield _record(parts)


def _parts(reader: Reader, collection: str) -> Iterator[tuple[object, ...]]:
    after: object = 0
    statement = (
        f"SELECT {_COLUMNS}, digest FROM document WHERE number > ? AND "
        "collection = (SELECT number FROM collection WHERE name = ?) ORDER BY number LIMIT ?"
    )
    while page := reader.rows(statement, after, collection, PAGE):
        for row in page:
            if row[-1] != digest(*row[:-1]):
                raise CorruptRecord(f"document {row[2]!r} of {collection!r} does not match its digest")
            yield row
        after = page[-1][0]


def _record(parts: list[tuple[object, ...]]) -> Fields:
    _, _, _, subject, at, _, fields, _, _ = parts[0]
    kept: Fields = json.loads(fields if isinstance(fields, bytes | str) else b"{}")
    return {
        "id": _whole(parts[0]),
        "text": "".join(str(part[5] or "") for part in parts),
        "source": text_of(kept, "source"),
        "labels": kept.get("labels", []),
        "subject": subject,
        "run": text_of(kept, "run"),
        "call": text_of(kept, "call"),
        "at": at,
        "sha256": text_of(kept, "sha256"),
    }


def _whole(part: tuple[object, ...]) -> str:
    """The document that a part belongs to."""
    return str(part[2]).rpartition("#")[0]
