"""The tables: numbered migrations, and for each table which columns its digest covers.

`user_version` counts the migrations that a file has seen. A migration is never changed once released; a new one is
appended. Columns are named as the fields they hold.
"""

from __future__ import annotations

import attrs

from .document_schema import DOCUMENTS

APPLICATION_ID = 0x63686F72
"""`chor`: written into every file, so that another program's database is recognised before it is touched."""

SQLITE_FLOOR = (3, 37, 0)
"""STRICT tables came with 3.37; 3.40 is the oldest that the tests run on."""


@attrs.frozen(kw_only=True)
class Table:
    """A table whose records carry a digest.

    `key` are the columns that name a record to people, `sealed` those that `digest` covers, in this order. Where a
    record has a large part that seldom changes, `content` covers that part, and `digest` covers `content`.
    """

    name: str
    key: tuple[str, ...]
    sealed: tuple[str, ...]
    content: tuple[str, ...] = ()
    size: int = 16
    """Bytes of the digest that are kept."""


LEASE = Table(name="lease", key=("id",), sealed=("id", "node", "fence", "expires", "clean", "pid", "locked"))

META = Table(name="meta", key=("name",), sealed=("name", "value"))

_ENVELOPE = (
    *("receiver", "id", "shard", "sender", "tag", "version", "body", "due", "timer", '"then"', "reply_to"),
    *("reply_then", "answer", "key", "trace", "attempts", "interrupted", "not_before"),
)

MESSAGE = Table(name="message", key=("id", "receiver"), sealed=("seq", *_ENVELOPE, "error"))

PARKED = Table(name="parked", key=("id", "receiver"), sealed=("seq", *_ENVELOPE, "reason", "at"))

ACTOR = Table(
    name="actor",
    key=("id",),
    sealed=("id", "shard", "revision", "content", "sent", "last_turn", "ended"),
    content=("id", "tag", "version", "body"),
)

EFFECT = Table(
    name="effect",
    key=("id",),
    sealed=("id", "content", "state", "attempts"),
    content=("id", "actor", "runner", "tag", "version", "body", '"then"', "on_interrupt", "created"),
)

ENTRY = Table(
    name="entry",
    key=("seq",),
    sealed=("seq", "stream", "position", "kind", "at", "body", "batch", "hash"),
    size=8,
)
"""`stream` is the number that its head gives it, `body` is kept as `phrase.shortened` makes it."""

HEAD = Table(name="head", key=("stream",), sealed=("number", "stream", "position", "hash"))

BATCH = Table(name="batch", key=("number",), sealed=("number", "at", "hash"), size=8)

VIEW = Table(name="view", key=("kind", "key"), sealed=("kind", "key", "scope", "sort", "body"))

DEDUP = Table(name="dedup", key=("receiver", "key"), sealed=("receiver", "key", "id", "tag", "version", "body", "at"))

CURSOR = Table(name="cursor", key=("name",), sealed=("name", "position"))

TOMBSTONE = Table(name="tombstone", key=("stream",), sealed=("stream", "position", "seq", "hash", "at"))

LINK = Table(name="link", key=("batch", "stream"), sealed=("batch", "stream", "position", "hash"))

GAP = Table(name="gap", key=("first",), sealed=("first", "last"))

STEP = Table(
    name="step",
    key=("actor", "message", "name", "number"),
    sealed=("actor", "message", "name", "number", "tag", "version", "body"),
)

COLLECTION = Table(name="collection", key=("name",), sealed=("number", "name", "documents", "removed"))
"""Beside it `words_NUMBER`, the index of its documents, which is made when it begins."""

DOCUMENT = Table(
    name="document",
    key=("collection", "id"),
    sealed=("number", "collection", "id", "subject", "at", "text", "fields", "vector"),
)

TABLES = (
    *(META, LEASE, MESSAGE, PARKED, ACTOR, EFFECT, STEP, ENTRY, HEAD, BATCH, VIEW, DEDUP, CURSOR),
    *(TOMBSTONE, LINK, GAP, COLLECTION, DOCUMENT),
)

_FIRST = """
CREATE TABLE meta (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE lease (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    node TEXT NOT NULL,
    fence INTEGER NOT NULL,
    expires REAL NOT NULL,
    clean INTEGER NOT NULL,
    pid INTEGER NOT NULL,
    locked INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE message (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    receiver TEXT NOT NULL,
    id TEXT NOT NULL,
    shard INTEGER NOT NULL,
    sender TEXT NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    due REAL NOT NULL,
    timer TEXT NOT NULL,
    "then" TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    reply_then TEXT NOT NULL,
    answer INTEGER NOT NULL,
    key TEXT NOT NULL,
    trace TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    not_before REAL NOT NULL,
    error TEXT NOT NULL,
    started INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX message_id ON message (receiver, id);
CREATE UNIQUE INDEX message_timer ON message (receiver, timer) WHERE timer <> '' AND answer = 0;
CREATE INDEX message_mail ON message (receiver, seq, due);
CREATE INDEX message_due ON message (due) WHERE due > 0;
CREATE INDEX message_started ON message (seq) WHERE started = 1;

CREATE TABLE parked (
    seq INTEGER NOT NULL,
    receiver TEXT NOT NULL,
    id TEXT NOT NULL,
    shard INTEGER NOT NULL,
    sender TEXT NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL,
    due REAL NOT NULL,
    timer TEXT NOT NULL,
    "then" TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    reply_then TEXT NOT NULL,
    answer INTEGER NOT NULL,
    key TEXT NOT NULL,
    trace TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    interrupted INTEGER NOT NULL,
    not_before REAL NOT NULL,
    reason TEXT NOT NULL,
    at REAL NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX parked_id ON parked (receiver, id);

CREATE TABLE actor (
    id TEXT PRIMARY KEY NOT NULL,
    shard INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    content BLOB NOT NULL,
    sent INTEGER NOT NULL,
    last_turn TEXT NOT NULL,
    ended INTEGER NOT NULL,
    digest BLOB NOT NULL,
    tag TEXT,
    version INTEGER,
    body BLOB
) STRICT;

CREATE TABLE effect (
    id TEXT PRIMARY KEY NOT NULL,
    content BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    digest BLOB NOT NULL,
    actor TEXT NOT NULL,
    runner TEXT NOT NULL,
    tag TEXT NOT NULL,
    version INTEGER NOT NULL,
    "then" TEXT NOT NULL,
    on_interrupt TEXT NOT NULL,
    created REAL NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX effect_unfinished ON effect (created, id) WHERE state IN ('open', 'held');
CREATE INDEX effect_actor ON effect (actor);

CREATE TABLE entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL,
    batch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX entry_position ON entry (stream, position);

CREATE TABLE head (
    stream TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE batch (
    number INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE view (
    kind TEXT NOT NULL,
    key TEXT NOT NULL,
    scope TEXT NOT NULL,
    sort REAL NOT NULL,
    body BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (kind, key)
) STRICT;
CREATE INDEX view_scope ON view (kind, scope, sort, key);

CREATE TABLE dedup (
    receiver TEXT NOT NULL,
    key TEXT NOT NULL,
    id TEXT NOT NULL,
    tag TEXT,
    version INTEGER,
    body BLOB,
    at REAL NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (receiver, key)
) STRICT;
CREATE UNIQUE INDEX dedup_id ON dedup (receiver, id);

CREATE TABLE cursor (
    name TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;
"""

_PRUNING = """
CREATE TABLE tombstone (
    stream TEXT PRIMARY KEY NOT NULL,
    position INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    at REAL NOT NULL,
    digest BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE link (
    batch INTEGER NOT NULL,
    stream TEXT NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL,
    PRIMARY KEY (batch, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    first INTEGER PRIMARY KEY,
    last INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;
"""

_SEEKING = """
CREATE INDEX message_ring ON message (due)
    WHERE timer <> '' AND answer = 0 AND reply_to = '' AND reply_then <> '' AND due > 0;
CREATE INDEX message_aside ON message (receiver, seq) WHERE due = 9e999;
"""

_STEPS = """
CREATE TABLE step (
    actor TEXT NOT NULL,
    message TEXT NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    tag TEXT,
    version INTEGER,
    body BLOB,
    digest BLOB NOT NULL,
    PRIMARY KEY (actor, message, name, number)
) STRICT;
"""

_SHORT = """
CREATE TABLE head_5 (
    number INTEGER PRIMARY KEY,
    stream TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
INSERT INTO head_5
    SELECT number, stream, position, hash, resealed_head(digest, number, CAST(stream AS BLOB), position, hash)
    FROM (SELECT row_number() OVER (ORDER BY stream) AS number, * FROM head);

CREATE TABLE entry_5 (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    stream INTEGER NOT NULL,
    position INTEGER NOT NULL,
    kind TEXT NOT NULL,
    at REAL NOT NULL,
    body BLOB NOT NULL,
    batch INTEGER NOT NULL,
    hash BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
INSERT INTO entry_5
    SELECT seq, ifnull(number, 0), entry.position, kind, at, shortened(CAST(entry.stream AS BLOB), body), batch,
        entry.hash, resealed_entry(entry.digest, ifnull(number, 0), seq, CAST(entry.stream AS BLOB), entry.position,
        CAST(kind AS BLOB), at, body, batch, entry.hash)
    FROM entry LEFT JOIN head_5 ON head_5.stream = entry.stream ORDER BY seq;
DELETE FROM sqlite_sequence WHERE name = 'entry_5';
INSERT INTO sqlite_sequence SELECT 'entry_5', seq FROM sqlite_sequence WHERE name = 'entry';
DROP TABLE entry;
DROP TABLE head;
ALTER TABLE entry_5 RENAME TO entry;
ALTER TABLE head_5 RENAME TO head;
CREATE UNIQUE INDEX entry_position ON entry (stream, position);

UPDATE batch SET digest = substr(digest, 1, 8);
DELETE FROM effect WHERE state NOT IN ('open', 'held', 'unknown');
"""

MIGRATIONS = (_FIRST, _PRUNING, _SEEKING, _STEPS, _SHORT, DOCUMENTS)
"""The script at index n takes a file from `user_version` n to n + 1."""
