"""What every store promises of documents: they come and go with a turn, and are found by their words."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs
import pytest

from choragus.mailbox import searching
from choragus.mailbox.address import actor_id
from choragus.mailbox.document import Collection, Document
from choragus.mailbox.errors import NotStorable
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Rejected, Turn

SHELF = actor_id("test.shelf", "main")
BATCH = Batch(node="a", fence=1, at=10.0)
TURN = Turn(id="t", actor=SHELF, fence=1, revision=0)


def note(
    id: str,
    text: str | None,
    collection: str = "facts",
    fields: bytes = b"{}",
    subject: str = "",
    at: float = 0.0,
    vector: bytes = b"",
) -> Document:
    return Document(collection=collection, id=id, text=text, fields=fields, subject=subject, at=at, vector=vector)


async def put(store: Store, *documents: Document, scrubbed: tuple[str, ...] = ()) -> None:
    revision = (await store.load(SHELF)).revision
    turn = attrs.evolve(TURN, id=f"t{revision}", revision=revision, documents=documents, scrubbed=scrubbed)

    assert isinstance(await store.commit(attrs.evolve(BATCH, turns=(turn,))), Committed)


async def found(store: Store, query: str, collection: str = "facts", limit: int = 10) -> list[str]:
    return [hit.document.id for hit in await store.search(collection, query, limit)]


async def test_a_document_comes_back_as_it_was_put(store: Store) -> None:
    whole = note("a", "Straße nach Bergen", fields=b'{"page": 3}', subject="alice", at=2.5, vector=b"\x00\x01")

    await put(store, whole)

    assert await store.document("facts", "a") == attrs.evolve(whole, number=1)
    assert await store.documents("facts") == [attrs.evolve(whole, number=1)]
    assert await store.picked([9, 1]) == [attrs.evolve(whole, number=1)]
    assert await store.vectors("facts") == [(1, b"\x00\x01")]
    assert await store.document("facts", "b") is None


async def test_the_best_fit_comes_first_and_of_equals_the_older(store: Store) -> None:
    await put(store, note("a", "rain in Oslo"), note("b", "rain"), note("c", "sun"), note("d", "rain"))

    hits = await store.search("facts", "rain")

    assert [hit.document.id for hit in hits] == ["b", "d", "a"]
    assert hits[0].score == hits[1].score > hits[2].score > 0
    assert await found(store, "rain", limit=1) == ["b"]
    assert await found(store, "rain", limit=0) == []


async def test_case_and_accents_do_not_matter(store: Store) -> None:
    await put(store, note("a", "Café Österreich"))

    assert [await found(store, query) for query in ("CAFE", "osterreich", "café")] == [["a"]] * 3


async def test_what_replaces_a_document_is_found_and_the_old_text_is_not(store: Store) -> None:
    await put(store, note("a", "rain"), note("b", "wind"))

    await put(store, note("a", "sun"))

    assert [await found(store, query) for query in ("rain", "sun")] == [[], ["a"]]
    assert [one.id for one in await store.documents("facts")] == ["b", "a"]
    assert await store.collections() == [Collection(name="facts", documents=2, last=3, removed=1)]


async def test_the_last_word_of_a_batch_counts(store: Store) -> None:
    await put(store, note("a", "one"), note("a", None), note("b", "two"), note("b", "three"), note("none", None))

    assert [(one.id, one.text) for one in await store.documents("facts")] == [("b", "three")]
    assert await found(store, "one two three") == ["b"]


async def test_a_deleted_document_is_gone_in_every_way(store: Store) -> None:
    await put(store, note("a", "rain", subject="alice", vector=b"1"), note("b", "rain"))

    await put(store, note("a", None), scrubbed=("facts", "none"))

    assert await found(store, "rain") == ["b"]
    assert (await store.document("facts", "a"), await store.picked([1]), await store.vectors("facts")) == (None, [], [])
    assert await store.document_ids("facts", subject="alice") == []


async def test_documents_come_with_their_turn_or_not_at_all(store: Store) -> None:
    turn = attrs.evolve(TURN, revision=7, documents=(note("a", "rain"),))

    outcome = await store.commit(attrs.evolve(BATCH, turns=(turn,)))

    assert isinstance(outcome, Rejected)
    assert (await found(store, "rain"), await store.collections()) == ([], [])


async def test_a_document_that_no_store_can_keep_leaves_nothing_of_its_turn(store: Store) -> None:
    turn = attrs.evolve(TURN, documents=(note("a", "rain"), note("b", "\ud800")))

    with pytest.raises(NotStorable):
        await store.commit(attrs.evolve(BATCH, turns=(turn,)))

    assert ((await store.load(SHELF)).revision, await found(store, "rain"), await store.collections()) == (0, [], [])


async def test_documents_outlive_their_owner(reopen: Callable[[], Awaitable[Store]]) -> None:
    first = await reopen()
    await first.claim("a", 30.0, 0.0)
    await put(first, note("a", "rain"))
    await first.close()

    second = await reopen()

    assert await found(second, "rain") == ["a"]


async def test_ids_are_told_by_subject_and_by_age(store: Store) -> None:
    await put(store, note("a", "1", at=5.0, subject="alice"), note("b", "2", at=1.0), note("c", "3", subject="alice"))

    assert await store.document_ids("facts") == ["c", "b", "a"]
    assert await store.document_ids("facts", before=5.0) == ["c", "b"]
    assert await store.document_ids("facts", limit=1) == ["c"]
    assert await store.document_ids("facts", subject="alice") == ["a", "c"]
    assert await store.document_ids("facts", subject="") == []
    assert await store.document_ids("none") == []


async def test_pages_of_documents_follow_each_other(store: Store) -> None:
    await put(store, *(note(f"n{number}", "text") for number in range(5)))

    page = await store.documents("facts", limit=2)
    rest = await store.documents("facts", after=page[-1].number)

    assert [one.id for one in (*page, *rest)] == [f"n{number}" for number in range(5)]


HOSTILE = {
    "everything": "*",
    "prefix": "se*",
    "or": 'nothing OR secret OR "secret"',
    "near": "NEAR(secret plan, 10)",
    "not": "x NOT y",
    "column": "text : secret",
    "scope": "- {text} : secret",
    "quotes": '"secret" "" """',
    "sql": "'; DROP TABLE document; --",
    "like": "%",
    "path": "../facts",
    "nul": "secret\0plan",
    "half": "\ud800 secret",
    "caret": "^secret + plan",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE.keys())
async def test_s23_a_query_is_words_and_stays_in_its_collection(store: Store, query: str) -> None:
    await put(store, note("a", "the secret plan x"), note("b", "weather", collection="other"))

    assert [await store.search(name, query) for name in ("other", "fact", "facts*", "%", "../facts", "")] == [[]] * 6
    assert await found(store, "weather", "other") == ["b"]
    assert await found(store, "secret") == ["a"]


@pytest.mark.parametrize("name", ["facts*", "%", "FACTS", "facts'--", "../facts", "facts\0", "", "f_cts"])
async def test_s23_a_collections_name_is_that_and_no_pattern(store: Store, name: str) -> None:
    await put(store, note("a", "secret", subject="alice"))

    assert await store.search(name, "secret") == []
    assert (await store.document(name, "a"), await store.documents(name), await store.collections(name)) == (
        None,
        [],
        [],
    )
    assert await store.document_ids(name, subject="alice") == []
    assert await store.document_ids("facts", subject="ali%") == []


async def test_s23_scores_tell_nothing_of_another_collection(store: Store) -> None:
    await put(store, note("a", "zebra here"), note("b", "other there"))
    before = await store.search("facts", "zebra")

    await put(store, *(note(f"n{number}", "zebra", collection="secret") for number in range(20)))

    assert await store.search("facts", "zebra") == before


async def test_a_common_word_selects_only_where_there_is_no_rarer_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "COMMON", 3)
    texts = ["the pay", "the pay", "the pay bill", "the bill", "the zebra"]
    await put(store, *(note(f"n{number}", text) for number, text in enumerate(texts)))

    assert await found(store, "the zebra", limit=1) == ["n4"]
    assert await found(store, "zebra the", limit=9) == ["n4", "n0", "n1", "n3", "n2"]
    assert len(await found(store, "the")) == 5


async def test_common_words_order_what_rarer_ones_have_found(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["zebra", "zebra pay", *["other"] * 9, "pay", "pay", "pay", "other"]
    await put(store, *(note(f"n{number}", text) for number, text in enumerate(texts)))
    slowly = await found(store, "zebra pay", limit=2)
    monkeypatch.setattr(searching, "COMMON", 3)

    assert await found(store, "zebra pay", limit=2) == slowly == ["n1", "n0"]


async def test_a_long_query_costs_no_more_than_its_rarest_words(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "BUDGET", 2)
    await put(store, note("a", "rain wind"), note("b", "rain"), note("c", "sun"))

    assert await found(store, "rain wind") == ["a"]
    assert await found(store, " ".join(f"w{number}" for number in range(99)) + " sun") == []
    assert await found(store, "sun sun rain") == ["c"]
