"""How long a search over 100,000 documents takes, by words and by both ways, against FTS5 by hand in the same run."""

from __future__ import annotations

import asyncio
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import accumulate, islice
from pathlib import Path
from time import perf_counter

import numpy as np
from benchmarks.figure import Figure, Section, cost
from benchmarks.target import at_most

from choragus.agents.knowledge.declaration import Library, collection_of, library_key
from choragus.agents.knowledge.embedder import HashingEmbedder, mark
from choragus.agents.knowledge.found import Fields
from choragus.agents.knowledge.shelf import Shelf
from choragus.agents.runtime import Runtime
from choragus.mailbox.address import actor_id
from choragus.mailbox.document import Document
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Turn

WORDS, LENGTH, FOUND = 50_000, 60, 10
NOTES = (
    f"documents of {LENGTH} words out of {WORDS:,}, as often as Zipf has it; queries: 4 words of a random document",
    "choragus: Shelf.search, 10 results with digests checked, labels and provenance, through the store's thread",
    "other: sqlite3, the same table by hand, `MATCH 'a OR b OR c OR d' ORDER BY rank LIMIT 10` and the texts",
    "both ways: with 256-dimensional vectors in memory besides, made by hashing",
)


def section(folder: Path, quick: bool) -> Section:
    """Measure: 200 queries over 100,000 documents, or 50 over 10,000."""
    documents, queries = (10_000, 50) if quick else (100_000, 200)
    chance = random.Random(7)
    texts = list(islice(_texts(chance), documents))
    asked = [" ".join(chance.sample(chance.choice(texts).split(), 4)) for _ in range(queries)]
    theirs = _by_hand(folder / "hand.db", texts, asked)
    path = folder / "library.db"
    asyncio.run(_fill(path, texts))
    words, both = asyncio.run(_searched(path, asked))
    figures = [
        cost(f"p50 of {documents:,}, by words", "ms", [_at(words, 0.5)], [_at(theirs, 0.5)]),
        cost(f"p99 of {documents:,}, by words", "ms", [_at(words, 0.99)], [_at(theirs, 0.99)]),
        Figure(name="p50, by words, promised", unit="ms", ours=_at(words, 0.5), target=at_most(5)),
        Figure(name="p50, both ways", unit="ms", ours=_at(both, 0.5)),
        Figure(name="p99, both ways", unit="ms", ours=_at(both, 0.99)),
    ]
    return Section("Retrieval", "FTS5 by hand", figures, NOTES)


def _texts(chance: random.Random) -> Iterator[str]:
    names = [f"w{number}" for number in range(WORDS)]
    often = list(accumulate(1 / (rank + 2.7) for rank in range(WORDS)))
    while True:
        yield " ".join(chance.choices(names, cum_weights=often, k=LENGTH))


def _by_hand(path: Path, texts: Sequence[str], asked: Sequence[str]) -> list[float]:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE facts (id INTEGER PRIMARY KEY, text TEXT)")
        connection.execute("CREATE VIRTUAL TABLE words USING fts5 (text, content=facts, content_rowid=id)")
        connection.executemany("INSERT INTO facts VALUES (?, ?)", enumerate(texts, 1))
        connection.execute("INSERT INTO words (words) VALUES ('rebuild')")
        connection.commit()
        took = []
        for query in asked:
            begin = perf_counter()
            match = " OR ".join(f'"{word}"' for word in dict.fromkeys(query.split()))
            statement = f"SELECT rowid, text, rank FROM words WHERE words MATCH ? ORDER BY rank LIMIT {FOUND}"
            assert connection.execute(statement, (match,)).fetchall()
            took.append((perf_counter() - begin) * 1e3)
    return took


async def _fill(path: Path, texts: Sequence[str]) -> None:
    """Both libraries, straight into the store: what is measured is reading."""
    store = await SqliteStore.open(path)
    fence = (await store.claim("bench", 60.0, 0.0)).fence
    chance, embedder = np.random.default_rng(7), HashingEmbedder()
    fields = Fields(source="bench", labels=("user",)).encoded()
    for revision, start in enumerate(range(0, len(texts), 1000)):
        part = texts[start : start + 1000]
        vectors = chance.standard_normal((len(part), embedder.dimensions), dtype=np.float32)
        documents = [
            Document(
                collection=collection_of(library_key(name, "main")),
                id=f"{start + number}#1",
                text=text,
                fields=fields,
                vector=mark(embedder) + vectors[number].tobytes() if name == "both" else b"",
            )
            for name in ("words", "both")
            for number, text in enumerate(part)
        ]
        turn = Turn(
            id=f"t{revision}",
            actor=actor_id("bench.filler", "one"),
            fence=fence,
            revision=revision,
            documents=tuple(documents),
        )
        await store.commit(Batch(node="bench", fence=fence, at=1.0, turns=(turn,)))
    await store.release("bench")
    await store.close()


async def _searched(path: Path, asked: Sequence[str]) -> tuple[list[float], list[float]]:
    libraries = [Library("words"), Library("both", embedder=HashingEmbedder())]
    async with Runtime(path, agents=[], libraries=libraries) as runtime:
        return await _took(runtime.library("words"), asked), await _took(runtime.library("both"), asked)


async def _took(shelf: Shelf, asked: Sequence[str]) -> list[float]:
    await shelf.search("w1 w2", FOUND)  # the vectors are read into memory by the first
    took = []
    for query in asked:
        begin = perf_counter()
        found = await shelf.search(query, FOUND)
        took.append((perf_counter() - begin) * 1e3)
        assert found
    return took


def _at(took: Sequence[float], share: float) -> float:
    return sorted(took)[min(len(took) - 1, int(len(took) * share))]
