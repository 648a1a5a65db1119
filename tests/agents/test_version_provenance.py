"""Where an agent's code comes from: read without git, bounded, off the loop, and never in anybody's way."""

from __future__ import annotations

import asyncio
import os
import subprocess
import threading
from pathlib import Path

import pytest

from choragus.agents.runtime import Runtime
from choragus.agents.version import keeping
from choragus.agents.version import provenance as provenances
from choragus.agents.version import revision as revisions
from choragus.agents.version.keeping import Versions
from choragus.agents.version.provenance import Provenance, bare_provenance, code_of, provenance
from choragus.agents.version.revision import Revision, revision, tree_of
from choragus.mailbox.memory import MemoryStore

from .play import Ledger, call, calls, data, kinds, scripted, tools, until

IDENTITY = {
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@example.org",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@example.org",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(top: Path, *arguments: str) -> str:
    """What git says."""
    environment = {**os.environ, **IDENTITY}
    done = subprocess.run(["git", *arguments], cwd=top, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A working tree with one commit of three files."""
    top = tmp_path / "tree"
    (top / "package").mkdir(parents=True)
    for name in ("a.py", "package/b.py", "a name with blanks and ü.txt"):
        (top / name).write_text(f"{name}\n")
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-q", "-m", "First")
    return top


def head(top: Path) -> str:
    """The commit as git says it."""
    return git(top, "rev-parse", "HEAD")


def test_a_clean_tree_is_clean(tree: Path) -> None:
    assert revision(tree) == Revision(head(tree), dirty=False)
    assert tree_of(tree / "package" / "b.py") == tree


def test_packed_branches_and_objects_are_read(tree: Path) -> None:
    git(tree, "gc", "-q")
    git(tree, "pack-refs", "--all")

    assert not (tree / ".git" / "refs" / "heads" / "main").exists()
    assert revision(tree) == Revision(head(tree), dirty=False)


def test_a_detached_head_is_read(tree: Path) -> None:
    git(tree, "checkout", "-q", "--detach")

    assert revision(tree) == Revision(head(tree), dirty=False)


def test_a_worktree_is_read(tree: Path, tmp_path: Path) -> None:
    git(tree, "worktree", "add", "-q", "-b", "other", str(tmp_path / "other"))
    (tmp_path / "other" / "a.py").write_text("other\n")

    assert revision(tmp_path / "other") == Revision(head(tree), dirty=True)
    assert revision(tree) == Revision(head(tree), dirty=False)


def test_a_changed_file_makes_it_dirty(tree: Path) -> None:
    (tree / "package" / "b.py").write_text("more\n")

    assert revision(tree) == Revision(head(tree), dirty=True)


def test_a_file_that_was_only_touched_does_not(tree: Path) -> None:
    os.utime(tree / "a.py", (1, 1))

    assert revision(tree) == Revision(head(tree), dirty=False)


def test_a_deleted_file_makes_it_dirty(tree: Path) -> None:
    (tree / "a.py").unlink()

    assert revision(tree) == Revision(head(tree), dirty=True)


def test_what_is_staged_is_not_called_clean(tree: Path) -> None:
    (tree / "a.py").write_text("staged\n")
    git(tree, "add", "a.py")

    found = revision(tree)
    git(tree, "write-tree")  # after which git has noted the tree that would be committed
    noted = revision(tree)

    assert found is not None
    assert found.dirty is None
    assert noted == Revision(head(tree), dirty=True)


@pytest.mark.parametrize("index", [b"", b"DIRC", b"DIRC\x00\x00\x00\x02\x00\x00\x00\x09", b"x" * 400])
def test_an_index_that_cannot_be_read_leaves_it_open(tree: Path, index: bytes) -> None:
    (tree / ".git" / "index").write_bytes(index)

    assert revision(tree) == Revision(head(tree), dirty=None)


@pytest.mark.parametrize("said", ["", "ref: refs/heads/none", "ref: ../../etc/passwd", "nonsense", "ref: HEAD"])
def test_a_head_that_leads_nowhere_is_none(tree: Path, said: str) -> None:
    (tree / ".git" / "HEAD").write_text(said)

    assert revision(tree) is None


def test_a_tree_that_takes_too_long_is_left_open(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "SECONDS", -1.0)

    assert revision(tree) == Revision(head(tree), dirty=None)


def test_a_tree_of_too_many_files_is_left_open(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revisions, "MOST_FILES", 2)

    assert revision(tree) == Revision(head(tree), dirty=None)


def test_a_folder_without_git_has_no_revision(tmp_path: Path) -> None:
    assert revision(tmp_path) is None


def test_the_packages_are_those_of_choragus_and_of_what_the_tools_import() -> None:
    agent = scripted("done", tools=tools(Ledger()))

    found = provenance(agent)

    assert code_of(agent) == {"tests.agents.play"}
    assert {"attrs", "msgspec", "anyio"} <= found.packages.keys()
    assert "pytest" in found.packages, "the module of the tools imports it"
    assert found.python.count(".") == 2


def test_no_path_of_the_machine_stands_in_it() -> None:
    told = provenance(scripted("done", tools=tools(Ledger()))).as_dict()

    assert str(Path(__file__).parents[2]) not in str(told)
    assert str(Path.home()) not in str(told)


async def test_a_run_notes_on_what_it_began_and_the_file_has_it_once() -> None:
    store, agent = MemoryStore(), scripted("done")
    async with Runtime(store=store, agents=[agent]) as runtime:
        for _ in range(3):
            await (await runtime.start(agent, "Go.")).result()
        run = await runtime.start(agent, "Go.")
        (line,) = await data(run, "run.manifest")
        manifests, origins = await store.views("manifest"), await store.views("provenance")

    assert [row.key for row in manifests] == [line["hash"]]
    assert [row.key for row in origins] == [line["provenance"]] == [provenance(agent).hash]


async def test_a_run_that_goes_on_on_other_code_says_so_once(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=5)), calls(call("look", "b", at="x")), "done", tools=tools(Ledger()))
    first = provenance(agent).hash  # read before: an opening does not wait long for it
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")
    other = Provenance(choragus="9.9", python="3.99.0", implementation="Other")
    monkeypatch.setitem(provenances._KNOWN, code_of(agent), other)

    async with Runtime(store=store, agents=[agent]) as runtime:
        assert runtime.held == (), "it holds nothing up"
        run = await runtime.run(run.id)
        await (await run.pending())[0].approve(by="me")
        await run.result(timeout=5)

        (line,) = await data(run, "run.continued")
        assert (line["provenance"], line["was"]) == (other.hash, first)
        assert "identity" not in line
        assert {row.key for row in await store.views("provenance")} == {first, other.hash}


async def test_a_run_that_goes_on_on_the_same_says_nothing() -> None:
    store = MemoryStore()
    agent = scripted(calls(call("pay", amount=5)), "done", tools=tools(Ledger()))
    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        await until(run, "approval.requested")

    async with Runtime(store=store, agents=[agent]) as runtime:
        run = await runtime.run(run.id)
        await (await run.pending())[0].approve(by="me")
        await run.result(timeout=5)

        assert await data(run, "run.continued") == []


async def test_an_opening_does_not_wait_for_what_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, never = scripted("done", tools=tools(Ledger())), threading.Event()
    monkeypatch.setattr(keeping, "SECONDS", 0.02)
    monkeypatch.setattr(keeping, "provenance", lambda agent: never.wait(5.0))
    monkeypatch.setattr(provenances, "_KNOWN", {})
    try:
        async with asyncio.timeout(2.0), Runtime(agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.")
            (line,) = await data(run, "run.manifest")

            assert await run.result() == "done"
            assert line["provenance"] == bare_provenance().hash
    finally:
        never.set()


async def test_it_is_read_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    agent, seen = scripted("done"), list[int]()
    monkeypatch.setattr(provenances, "_KNOWN", {})
    monkeypatch.setattr(keeping, "provenance", lambda agent: seen.append(threading.get_ident()))

    await Versions({"clerk": agent}).open(MemoryStore())

    assert len(seen) == 1
    assert seen != [threading.get_ident()]


async def test_what_breaks_while_it_is_read_breaks_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = scripted("done")

    def broken(agent: object) -> None:
        raise RuntimeError("a package that nobody can read")

    monkeypatch.setattr(provenances, "_KNOWN", {})
    monkeypatch.setattr(keeping, "provenance", broken)

    async with Runtime(agents=[agent]) as runtime:
        assert await (await runtime.start(agent, "Go.")).result(timeout=5) == "done"


@pytest.mark.parametrize("is_slow", [(True, False), (False, True)], ids=["slow-at-first", "slow-later"])
async def test_what_could_not_be_read_in_time_is_no_change(
    is_slow: tuple[bool, bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, agent = MemoryStore(), scripted(calls(call("pay", amount=1)), "done", tools=tools(Ledger()))
    known = provenances.provenance(agent)
    for slow in is_slow:
        found = provenances.bare_provenance() if slow else known
        monkeypatch.setattr(keeping, "known_provenance", lambda agent, found=found: found)
        async with Runtime(store=store, agents=[agent]) as runtime:
            run = await runtime.start(agent, "Go.", key="k")
            await until(run, "approval.requested")
            if slow is is_slow[1]:
                await (await run.pending())[0].approve(by="me")
                await run.result(timeout=5)

    async with Runtime(store=store, agents=[agent]) as runtime:
        assert "run.continued" not in await kinds(await runtime.run(run.id))
