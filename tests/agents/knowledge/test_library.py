"""Libraries: put, found, forgotten, kept for a time, exported; over restarts."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from tests.agents.play import scripted, soon

from choragus.agents.context.retrieval import Retrieved
from choragus.agents.knowledge.declaration import Library
from choragus.agents.knowledge.message import Forgotten
from choragus.agents.knowledge.shelf import Shelf
from choragus.agents.runtime import Runtime
from choragus.mailbox.compaction import compact

FACTS = Library("facts", chunk=100)


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    async with Runtime(agents=[scripted("done")], libraries=[FACTS]) as runtime:
        yield runtime


@pytest.fixture
def facts(runtime: Runtime) -> Shelf:
    return runtime.library("facts")


async def texts(shelf: Shelf, query: str) -> list[str]:
    return [one.text for one in await shelf.search(query)]


async def test_what_is_found_says_where_it_comes_from(facts: Shelf) -> None:
    id = await facts.add(
        "Rain in Bergen.", source="weather.txt", labels=["user"], subject="bergen", run="r", call="1.1"
    )

    (found,) = await facts.search("rain")

    assert (found.id, found.text, found.labels, found.subject) == (id, "Rain in Bergen.", ("user",), "bergen")
    told = found.provenance
    assert (told.source, told.run, told.call, len(told.sha256), told.at > 0) == ("weather.txt", "r", "1.1", 64, True)
    assert found.parts == {"words": found.score}
    assert await facts.retrieve("rain", run="r", agent="a") == [
        Retrieved("Rain in Bergen.", "weather.txt", found.score, ("user",))
    ]


@pytest.mark.parametrize("query", [5, None, b"rain"], ids=repr)
async def test_a_query_is_a_text(facts: Shelf, query: object) -> None:
    with pytest.raises(ValueError, match=r"^query=.* is no text: give a str$"):
        await facts.search(query)  # type: ignore[arg-type]  # wrong on purpose


@pytest.mark.parametrize("subject", [5, "\ud83d", "x" * 600], ids=ascii)
async def test_a_subject_is_named_as_its_documents_name_it(facts: Shelf, subject: object) -> None:
    with pytest.raises(ValueError, match=r"no text|no valid Unicode"):
        await facts.forget(subject=subject)  # type: ignore[arg-type]  # wrong on purpose


async def test_the_same_put_twice_is_there_once(facts: Shelf) -> None:
    first, second = await facts.add("Rain."), await facts.add("Rain.")

    assert (first == second, await texts(facts, "rain")) == (True, ["Rain."])


async def test_a_document_that_is_replaced_leaves_no_part_behind(facts: Shelf) -> None:
    await facts.add("\n\n".join(f"Paragraph {number} about rain, and some more words." for number in range(9)), id="a")
    assert len(await facts.search("rain")) > 3

    await facts.add("Only rain.", id="a")

    assert await texts(facts, "rain") == ["Only rain."]
    assert await texts(facts, "paragraph") == []


async def test_forgetting_takes_all_of_a_subject_and_nothing_else(facts: Shelf, runtime: Runtime) -> None:
    long = "\n\n".join(f"Alice likes number {number}, as everybody knows by now." for number in range(9))
    await facts.add(long, subject="alice")
    await facts.add("Alice is tall.", subject="alice")
    await facts.add("Bob is tall.", subject="bob")

    gone = await facts.forget(subject="alice")

    assert (gone.documents, gone.chunks > 5) == (2, True)
    assert (await texts(facts, "alice number"), await texts(facts, "tall")) == ([], ["Bob is tall."])
    assert await facts.forget(subject="alice") == Forgotten()
    assert [record["subject"] async for record in facts.export()] == ["bob"]


async def test_forgetting_leaves_a_line_that_names_nobody(facts: Shelf, runtime: Runtime) -> None:
    await facts.add("Alice is tall.", subject="alice@example.org")

    await facts.forget(subject="alice@example.org")

    lines = await runtime.store.read("library/main/facts")
    assert [line.kind for line in lines] == ["library.put", "library.forgotten"]
    told = msgspec.json.decode(lines[1].body)
    assert (told["documents"], told["chunks"], len(told["subject"])) == (1, 1, 16)
    assert b"alice" not in b"".join(line.body for line in lines)


async def test_one_document_is_forgotten_by_its_id(facts: Shelf) -> None:
    id = await facts.add("Alice is tall.")
    await facts.add("Bob is tall.")

    assert await facts.forget(id=id) == Forgotten(documents=1, chunks=1)
    assert await texts(facts, "tall") == ["Bob is tall."]
    with pytest.raises(ValueError, match=r"^forget\(subject='', id=''\): give one of both"):
        await facts.forget()


async def test_what_was_forgotten_is_in_no_byte_of_a_compacted_file(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with Runtime(path, agents=[scripted("done")]) as runtime:
        shelf = runtime.library("facts")
        for number in range(20):
            await shelf.add(f"unsayable{number} words", subject="alice")
        await shelf.add("kept words", subject="bob")
        await shelf.forget(subject="alice")

    await compact(path)

    content = path.read_bytes()
    assert (b"unsayable" in content, b"kept words" in content) == (False, True)


async def test_forgetting_writes_the_index_anew(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    async with Runtime(path, agents=[scripted("done")]) as runtime:
        shelf = runtime.library("facts")
        await shelf.add("unsayable", subject="alice")
        await shelf.add("kept", subject="bob")
        await shelf.forget(subject="alice")

    with closing(sqlite3.connect(path)) as connection:
        blocks = b"".join(block for (block,) in connection.execute("SELECT block FROM words_1_data"))
    assert (b"unsayable" in blocks, b"kept" in blocks) == (False, True)


async def test_a_library_is_there_again_when_the_file_is_opened_again(tmp_path: Path) -> None:
    async with Runtime(tmp_path / "runs.db", agents=[scripted("done")]) as runtime:
        await runtime.library("facts").add("Rain.", id="a")

    async with Runtime(tmp_path / "runs.db", agents=[scripted("done")]) as runtime:
        assert await texts(runtime.library("facts"), "rain") == ["Rain."]
        assert (await runtime.store.verify()).problems == ()


async def test_an_export_restored_elsewhere_finds_the_same(facts: Shelf, runtime: Runtime) -> None:
    long = "\n\n".join(f"Rain on day {number}, with words about it that go on." for number in range(9))
    await facts.add(long, subject="s", labels=["user"], source="log", run="r", call="1.1")
    await facts.add("Sun.", id="sun")
    records = [record async for record in facts.export()]

    other = runtime.library("other")
    count = await other.restore(msgspec.json.decode(msgspec.json.encode(records)))

    assert (count, records[0]["text"]) == (2, long)
    assert [record async for record in other.export()] == records
    assert {one.labels for one in await other.search("rain")} == {("user",)}


async def test_s23_a_namespace_finds_nothing_of_another(runtime: Runtime) -> None:
    await runtime.library("facts", namespace="tenant-a").add("the secret plan", subject="alice")
    other = runtime.library("facts", namespace="tenant-b")
    await other.add("the weather")

    for query in (
        "secret",
        "*",
        "plan OR weather",
        'tenant-a/facts "secret"',
        "NEAR(the secret)",
        "text:secret",
        "' --",
    ):
        assert {one.text for one in await other.search(query)} <= {"the weather"}
    assert await other.forget(subject="alice") == Forgotten()
    assert [record["text"] async for record in other.export()] == ["the weather"]
    with pytest.raises(ValueError, match=r"^query=3 is no text: give a str$"):
        await other.search(3)  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(ValueError, match="is no name for a namespace"):
        runtime.library("facts", namespace="tenant-b/../tenant-a")


async def test_what_is_too_old_is_not_found_and_then_deleted() -> None:
    now = [1000.0]
    library = Library("news", keep_seconds=60)
    async with Runtime(agents=[scripted("done")], libraries=[library], clock=lambda: now[0]) as runtime:
        shelf = runtime.library("news")
        await shelf.add("Old rain.", id="old")
        now[0] += 61

        assert await texts(shelf, "rain") == []
        await shelf.add("New rain.", id="new")
        now[0] += 30

        async def swept() -> bool:
            return [record["id"] async for record in shelf.export()] == ["new"]

        await soon(swept)
        assert await texts(shelf, "rain") == ["New rain."]


async def test_of_too_many_the_oldest_go() -> None:
    now = [1000.0]
    library = Library("news", most_documents=3)
    async with Runtime(agents=[scripted("done")], libraries=[library], clock=lambda: now[0]) as runtime:
        shelf = runtime.library("news")
        for number in range(8):
            await shelf.add(f"Rain {number}.", id=f"n{number}")
        now[0] += 2

        async def swept() -> bool:
            return [record["id"] async for record in shelf.export()] == ["n5", "n6", "n7"]

        await soon(swept)


async def test_a_library_that_is_put_into_without_a_pause_is_swept_too() -> None:
    now = [1000.0]
    library = Library("news", most_documents=1)
    async with Runtime(agents=[scripted("done")], libraries=[library], clock=lambda: now[0]) as runtime:
        shelf = runtime.library("news")
        for _ in range(3):
            await shelf.add(f"Rain {now[0]}.")
            now[0] += 0.5

        async def swept() -> bool:
            return [record["at"] async for record in shelf.export()] == [1001.0]

        await soon(swept)


async def test_a_runtime_that_is_not_open_has_no_library() -> None:
    with pytest.raises(RuntimeError, match="is not open"):
        Runtime(agents=[scripted("done")]).library("facts")
