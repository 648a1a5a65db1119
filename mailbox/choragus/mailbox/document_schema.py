"""The tables of documents: the migration that brings them. Their indexes are made one by one, see `filing`."""

from __future__ import annotations

DOCUMENTS = """
CREATE TABLE collection (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    documents INTEGER NOT NULL,
    removed INTEGER NOT NULL,
    digest BLOB NOT NULL
) STRICT;

CREATE TABLE document (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    collection INTEGER NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    at REAL NOT NULL,
    text TEXT NOT NULL,
    fields BLOB NOT NULL,
    vector BLOB NOT NULL,
    digest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX document_id ON document (collection, id);
CREATE INDEX document_place ON document (collection);
CREATE INDEX document_age ON document (collection, at);
CREATE INDEX document_subject ON document (collection, subject) WHERE subject <> '';
"""
