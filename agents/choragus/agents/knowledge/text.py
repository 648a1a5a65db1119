"""A document on its way in and out: checked and cut before it is put, and put together again for an export."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from hashlib import sha256

import msgspec

from choragus.mailbox.document import Document
from choragus.mailbox.store import Store

from .chunk import chunks
from .found import fields_of, whole_id
from .label import checked_labels
from .message import Text

LONGEST = 4_000_000
"""Characters of a text."""

PAGE = 200
"""Parts that are read, and texts that are put, at a time."""

LONGEST_NAME = 512
"""Characters of an id, a source or a subject."""


class Kept(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A document as it is exported."""

    id: str
    text: str
    source: str = ""
    labels: tuple[str, ...] = ()
    subject: str = ""
    run: str = ""
    call: str = ""
    at: float
    sha256: str = ""


def made(
    text: str,
    *,
    most: int,
    id: str = "",
    source: str = "",
    labels: Iterable[str] | None = None,
    subject: str = "",
    run: str = "",
    call: str = "",
    at: float | None = None,
) -> Text:
    """A document in parts of at most `most` characters, without vectors.

    Without an id it has one that follows from its text, source, labels and subject: put again, it is the same one.

    Raises:
        ValueError: when something of it cannot be kept.
    """
    if not isinstance(text, str) or not text.strip() or len(text) > LONGEST:
        shown = f"{len(text):,} characters" if isinstance(text, str) else repr(text)
        raise ValueError(f"the text has {shown}: give 1 to {LONGEST:,}, and not only white space")
    check_names(id=id, source=source, subject=subject, run=run, call=call)
    if at is not None and not math.isfinite(at):
        raise ValueError(f"at={at!r} is no time: give seconds since the epoch")
    whose = checked_labels(labels, source)
    _check_unicode(text, *whose)
    hash_ = sha256(text.encode()).hexdigest()
    named = id or sha256("\0".join((hash_, source, subject, *whose)).encode()).hexdigest()[:16]
    return Text(
        id=named,
        chunks=tuple(chunks(text, most)),
        source=source,
        run=run,
        call=call,
        sha256=hash_,
        labels=whose,
        subject=subject,
        at=at,
        replaces=bool(id),
    )


def check_names(**named: object) -> None:
    """Refuse what cannot stand beside a text.

    Raises:
        ValueError: when one is no text, is too long, or is no valid Unicode.
    """
    for what, value in named.items():
        if not isinstance(value, str) or len(value) > LONGEST_NAME:
            raise ValueError(f"{what}={value!r:.80} is too long or no text: give at most {LONGEST_NAME} characters")
        _check_unicode(value)


def from_record(record: Mapping[str, object], most: int) -> Text:
    """A document from what was exported.

    Raises:
        ValueError: when it is no such record, or its text is not what was exported.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"{record!r:.80} is no record of an export: give what `export` gave")
    try:
        kept = msgspec.convert(dict(record), Kept)
    except msgspec.ValidationError as error:
        raise ValueError(f"this is no record of an export ({error}): give what `export` gave") from error
    text = made(
        kept.text,
        most=most,
        id=kept.id,
        source=kept.source,
        labels=kept.labels,
        subject=kept.subject,
        run=kept.run,
        call=kept.call,
        at=kept.at,
    )
    if kept.sha256 not in ("", text.sha256):
        raise ValueError(f"the text of {kept.id!r} does not have the sha256 of its record: it was changed since")
    return text


async def records(store: Store, collection: str) -> AsyncIterator[dict[str, object]]:
    """Every document of a collection as a record, in the order in which they were put.

    Raises:
        CorruptRecord: when one is not what was written.
    """
    parts: list[Document] = []
    after = 0
    while page := await store.documents(collection, after, PAGE):
        for part in page:
            if parts and whole_id(part.id) != whole_id(parts[0].id):
                yield _record(parts)
                parts.clear()
            parts.append(part)
        after = page[-1].number
    if parts:
        yield _record(parts)


def _record(parts: Sequence[Document]) -> dict[str, object]:
    first, kept = parts[0], fields_of(parts[0])
    return {
        "id": whole_id(first.id),
        "text": "".join(part.text or "" for part in parts),
        "source": kept.source,
        "labels": list(kept.labels),
        "subject": first.subject,
        "run": kept.run,
        "call": kept.call,
        "at": first.at,
        "sha256": kept.sha256,
    }


def _check_unicode(*texts: str) -> None:
    try:
        "".join(texts).encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"the text cannot be kept: it is no valid Unicode ({error.reason})") from error
