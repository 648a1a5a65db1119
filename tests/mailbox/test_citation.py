"""Forks in every store: what their first entries cite is checked, as far as it is still there."""

from __future__ import annotations

import pytest

from choragus.mailbox.citation import FORKED, Citation, citation
from choragus.mailbox.codec import encode
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Entry, LogEntry, Pruning


async def log(store: Store, *entries: Entry) -> None:
    batch = Batch(node="a", fence=1, at=10.0, entries=entries)
    assert isinstance(await store.commit(batch), Committed)


def line(stream: str, kind: str = "line", /, **body: object) -> Entry:
    return Entry(stream, kind, 1.0, encode(body).body)


async def parent(store: Store) -> Citation:
    """A stream of three entries; gives what cites the second."""
    await log(store, line("p", n=1), line("p", n=2), line("p", n=3))
    (second,) = await store.read("p", 1, 1)
    return Citation(stream="p", position=2, hash=second.hash)


async def test_a_fork_is_counted(store: Store) -> None:
    cited = await parent(store)
    await log(store, line("f", FORKED, **cited.fields(), more="of it"), line("f"))

    found = await store.verify()

    assert (found.problems, found.forks) == ((), 1)
    (first,) = await store.read("f", 0, 1)
    assert citation(first) == cited


async def test_failures_may_stand_before_the_citation(store: Store) -> None:
    cited = await parent(store)
    await log(store, line("f", "actor.failed"), line("f", FORKED, **{**cited.fields(), "position": 3}))

    found = await store.verify()

    assert (len(found.problems), found.forks) == (1, 1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"hash": "00" * 32}, "entry 1 of stream 'f' does not cite the hash of entry 2 of stream 'p'"),
        ({"position": 1}, "entry 1 of stream 'f' does not cite the hash of entry 1 of stream 'p'"),
        ({"position": 4}, "entry 1 of stream 'f' cites entry 4 of stream 'p', which is missing"),
        ({"stream": "q"}, "entry 1 of stream 'f' cites entry 2 of stream 'q', which is missing"),
        ({"hash": "no hash"}, "entry 1 of stream 'f' begins a fork and cites nothing that can be read: non-hex"),
        ({"position": None}, "entry 1 of stream 'f' begins a fork and cites nothing that can be read: stream, pos"),
    ],
)
async def test_a_wrong_citation_is_found(store: Store, change: dict[str, object], problem: str) -> None:
    cited = await parent(store)
    await log(store, line("f", FORKED, **{**cited.fields(), **change}))

    (said,) = (await store.verify()).problems

    assert said.startswith(problem)


@pytest.mark.parametrize("upto", [1, 2, 3])
async def test_what_was_pruned_may_be_cited(store: Store, upto: int) -> None:
    cited = await parent(store)
    await log(store, line("f", FORKED, **cited.fields()))

    assert (await store.prune(Pruning(at=20.0, streams={"p": upto}))).done

    found = await store.verify()
    assert (found.problems, found.forks) == ((), 1)


async def test_the_last_pruned_entry_is_compared_all_the_same(store: Store) -> None:
    cited = await parent(store)
    await log(store, line("f", FORKED, **{**cited.fields(), "hash": "11" * 32}))

    await store.prune(Pruning(at=20.0, streams={"p": 2}))

    assert len((await store.verify()).problems) == 1


def test_a_body_that_is_no_json_cites_nothing() -> None:
    entry = LogEntry(seq=1, stream="f", position=1, kind=FORKED, at=0.0, body=b"", batch=1, hash=b"")

    with pytest.raises(ValueError, match="truncated"):
        citation(entry)
