"""Between documents and their rows."""

from __future__ import annotations

from .document import Collection, Document
from .errors import CorruptRecord
from .row import Row, is_whole, raw, real, sealed, text, whole
from .schema import COLLECTION, DOCUMENT

COLLECTION_COLUMNS = f"{', '.join(COLLECTION.sealed)}, digest"
DOCUMENT_COLUMNS = f"{', '.join(DOCUMENT.sealed)}, digest"


def document_row(number: int, collection: int, document: Document) -> Row:
    """A row of `document`, in the order of DOCUMENT_COLUMNS, in the collection of that number."""
    kept = (document.subject, document.at + 0.0, document.text, document.fields, document.vector)
    return sealed(number, collection, document.id, *kept)


def document_of(row: Row, collection: str) -> Document:
    """The document in a row of DOCUMENT_COLUMNS, in the collection of that name.

    Raises:
        CorruptRecord: when the row is not what was written.
    """
    if not is_whole(row):
        raise CorruptRecord(f"document {row[2]!r} of {collection!r} does not match its digest: restore it or delete it")
    return Document(
        collection=collection,
        number=whole(row[0]),
        id=text(row[2]),
        subject=text(row[3]),
        at=real(row[4]),
        text=text(row[5]),
        fields=raw(row[6]),
        vector=raw(row[7]),
    )


def collection_of(row: Row) -> Collection:
    """The collection in a row of COLLECTION_COLUMNS, and the number of its last document."""
    check_collection(row[:-1])
    return Collection(name=text(row[1]), documents=whole(row[2]), removed=whole(row[3]), last=whole(row[-1]))


def check_collection(row: Row) -> None:
    """Raise CorruptRecord when a row of COLLECTION_COLUMNS is not what was written."""
    if not is_whole(row):
        raise CorruptRecord(f"collection {row[1]!r} does not match its digest: restore the file from a backup")
