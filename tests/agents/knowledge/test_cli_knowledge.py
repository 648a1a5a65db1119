"""The commands about libraries, beside an owner and without one."""

from __future__ import annotations

from pathlib import Path

import anyio.to_thread
import msgspec
import pytest
from tests.agents.play import scripted

from choragus.agents import visit
from choragus.agents.cli import main
from choragus.agents.runtime import Runtime


async def run(argv: list[str]) -> int:
    """The exit code of a command."""
    return await anyio.to_thread.run_sync(main, argv)


@pytest.fixture
async def file(tmp_path: Path) -> str:
    path = tmp_path / "runs.db"
    async with Runtime(path, agents=[scripted("done")]) as runtime:
        await runtime.library("facts").add("Alice is tall.", subject="alice", id="a")
        await runtime.library("facts").add("Bob is tall.", subject="bob", id="b")
        await runtime.library("notes", namespace="tenant").add("Alice was here.", subject="alice", id="c")
    return str(path)


async def test_libraries_are_listed_and_exported(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(["documents", file]) == 0
    assert capsys.readouterr().out == "main/facts  2 parts\ntenant/notes  1 part\n"

    assert await run(["documents", file, "main/facts"]) == 0

    lines = [msgspec.json.decode(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["id"], line["text"]) for line in lines] == [("a", "Alice is tall."), ("b", "Bob is tall.")]


async def test_nothing_that_is_exported_moves_the_cursor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, nasty = tmp_path / "runs.db", "a\x9b2J\u202eb"
    async with Runtime(path, agents=[scripted("done")]) as runtime:
        await runtime.library("facts").add(nasty)

    await run(["documents", str(path), "main/facts"])

    printed = capsys.readouterr().out
    assert msgspec.json.decode(printed)["text"] == nasty
    assert printed.removesuffix("\n").isprintable()


@pytest.mark.parametrize("words", [["forget", "--subject"], ["backup"], ["thread"]], ids=" ".join)
async def test_what_is_no_text_is_refused(file: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    command, *options = words

    assert await run([command, file, *options, "a\udcff"]) == 2
    assert capsys.readouterr().err == "choragus: 'a\\udcff' is no text: give it in UTF-8\n"


async def test_the_owner_forgets_what_a_visitor_asks_it_to(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    async with Runtime(file, agents=[scripted("done")]) as runtime:
        assert await run(["forget", file, "--subject", "alice"]) == 0

        left = [record["id"] async for record in runtime.library("facts").export()]
        rest = [record["id"] async for record in runtime.library("notes", namespace="tenant").export()]

    assert (left, rest) == (["b"], [])
    assert capsys.readouterr().out.splitlines() == [
        "main/facts has forgotten the subject: 1 document",
        "tenant/notes has forgotten the subject: 1 document",
    ]


async def test_without_an_owner_it_is_forgotten_when_the_file_is_opened(
    file: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "PATIENCE", 0.05)
    assert await run(["forget", file, "--subject", "alice", "--library", "main/facts"]) == 0
    assert "it takes effect when" in capsys.readouterr().out

    async with Runtime(file, agents=[scripted("done")]) as runtime:
        await runtime.library("facts").add("New.")  # behind what was posted
        assert await runtime.library("facts").search("alice") == []
        assert len(await runtime.library("notes", namespace="tenant").search("alice")) == 1


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["documents", "FILE", "main/none"], "no library 'main/none' in"),
        (["forget", "FILE", "--subject", "ali%"], "no document of subject 'ali%' in"),
        (["forget", "FILE", "--subject", ""], "--subject is empty"),
        (["forget", "FILE", "--subject", "alice", "--library", "*"], "no library '*' in"),
    ],
    ids=["library", "pattern", "empty", "any"],
)
async def test_what_is_not_there_is_refused(
    file: str, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    assert await run([file if one == "FILE" else one for one in arguments]) == 2

    assert reason in capsys.readouterr().err


async def test_a_file_without_libraries_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "bare.db")
    async with Runtime(path, agents=[scripted("done")]):
        pass

    assert await run(["documents", path]) == 0

    assert capsys.readouterr().out == f"no libraries in {path}\n"
