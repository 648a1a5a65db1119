"""Whoever changes the logbook behind the store's back is found out, and `verify` names the entry."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from random import Random

import anyio
import attrs
import pytest

from choragus.mailbox import sqlite
from choragus.mailbox.heads import Heads, heads_of
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.turn import Batch, Committed, Entry, Verification
from choragus.mailbox.verification import verify_file

from .forger import Care, Forger, Forgery

FORGERIES = ("changed", "removed", "reordered", "inserted", "misplaced", "truncated")
PARTIAL = [care for care in Care if care is not Care.EVERYTHING]
STREAMS = ("run/1", "run/2", "run/3", "system")
BATCHES = 12
NAMELESS = r"entries of the file behind|batch \d+ has lost its entries|number \d+ of the file's entries"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four streams over twelve batches, each of one to five entries."""
    path = tmp_path_factory.mktemp("written") / "runs.db"
    anyio.run(_write, path)
    return path


@pytest.fixture
def path(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(written, tmp_path / "runs.db"))


async def _write(path: Path) -> None:
    random, store = Random(7), await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("a", 30.0, 0.0)
    batch = Batch(node="a", fence=claim.fence, at=10.0)
    for number in range(BATCHES):
        streams = [STREAMS[number % 4], *random.choices(STREAMS, k=random.randint(0, 4))]
        entries = [
            Entry(
                name,
                f"test.{number % 3}",
                float(number),
                b'{"actor":"choragus.memory","line":"line %d.%d"}' % (number, n),
            )
            for n, name in enumerate(streams)
        ]
        assert isinstance(await store.commit(attrs.evolve(batch, entries=tuple(entries))), Committed)
    await store.release("a")
    await store.close()


def exported(path: Path) -> Heads:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        return heads_of(connection, 20.0, streams=True)


def is_named(forgery: Forgery, problems: tuple[str, ...]) -> bool:
    """Whether a problem names one of its entries: alone, among those of one batch, or as the end of its stream."""
    said: set[tuple[str, int]] = set()
    for problem in problems:
        said |= {(name, int(place)) for place, name in re.findall(r"entry (\d+) of stream '(.*?)'", problem)}
        for first, last, name in re.findall(r"entries (\d+) to (\d+) of stream '(.*?)'", problem):
            said |= {(name, place) for place in range(int(first), int(last) + 1)}
        for name, end, head in re.findall(r"stream '(.*?)' ends at position (\d+), its head says (\d+)", problem):
            said |= {(name, place) for place in range(min(int(end), int(head)) + 1, max(int(end), int(head)) + 1)}
    if forgery.what in ("truncated", "removed") and any(re.search(NAMELESS, problem) for problem in problems):
        return True  # with its head put back nothing in the file says whose it was
    return bool(said & set(forgery.names))


def forge_and_verify(path: Path, what: str, care: Care, seed: int, *heads: Heads) -> tuple[Forgery, tuple[str, ...]]:
    forgery = Forger(path, Random(seed), care).forge(what)
    return forgery, verify_file(path, heads).problems


@pytest.mark.parametrize("care", PARTIAL, ids=[care.name.lower() for care in PARTIAL])
@pytest.mark.parametrize("what", FORGERIES)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))])
def test_s24_what_was_done_to_an_entry_is_found_and_named(path: Path, what: str, care: Care, seed: int) -> None:
    forgery, problems = forge_and_verify(path, what, care, seed)

    assert is_named(forgery, problems), (forgery, problems)


@pytest.mark.parametrize("what", FORGERIES)
@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 40))])
def test_s24_only_exported_heads_show_that_all_was_written_anew(path: Path, what: str, seed: int) -> None:
    heads = exported(path)

    forgery, problems = forge_and_verify(path, what, Care.EVERYTHING, seed, heads)

    assert verify_file(path).problems == ()
    assert problems
    if what != "inserted":
        streams = {name for name, _ in forgery.names}
        assert any(f"stream {name!r}" in problem for problem in problems for name in streams), (forgery, problems)


def test_what_was_written_since_the_export_is_no_problem(path: Path) -> None:
    heads = exported(path)

    anyio.run(_append, path)

    assert verify_file(path, [heads]).problems == ()
    assert verify_file(path).entries == heads.entries + 1


async def _append(path: Path) -> None:
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("b", 30.0, 0.0)
    batch = Batch(node="b", fence=claim.fence, at=30.0, entries=(Entry("run/9", "test.new", 30.0, b"{}"),))
    assert isinstance(await store.commit(batch), Committed)
    await store.release("b")
    await store.close()


async def test_verify_holds_up_nobody_who_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The check goes on until a commit is on disk that was begun behind it."""
    written = threading.Event()

    def patient(file: Path) -> Verification:
        assert written.wait(10), "the commit waits for the check"
        return verify_file(file)

    monkeypatch.setattr(sqlite, "verify_file", patient)
    store = await SqliteStore.open(path, synchronous="NORMAL")
    claim = await store.claim("b", 30.0, 0.0)
    checking = asyncio.create_task(store.verify())
    await asyncio.sleep(0)

    batch = Batch(node="b", fence=claim.fence, at=30.0, entries=(Entry("run/9", "test.new", 30.0, b"{}"),))
    assert isinstance(await store.commit(batch), Committed)
    written.set()

    assert (await checking).problems == ()
    await store.close()
