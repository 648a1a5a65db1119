"""The commands that keep a file in order: backup, prune and compact."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.runtime import Runtime

from .cli_clerk import RUN, clerk, complete, leave_waiting
from .play import soon


async def settle(path: Path) -> None:
    """Let the parts of the runs handle what was still on its way when the file was closed."""
    async with Runtime(path, agents=[clerk()]) as runtime:

        async def nothing_waits() -> bool:
            return not await runtime.store.waiting(time.time())

        await soon(nothing_waits)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
    anyio.run(settle, path)
    return path


@pytest.fixture
def done(made: Path, tmp_path: Path) -> str:
    """A copy of it for one test."""
    return str(shutil.copy(made, tmp_path / "runs.db"))


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed, and gives what it printed."""

    def tell(*argv: str) -> str:
        capsys.readouterr()
        code = main(argv)
        printed = capsys.readouterr()
        assert (code, printed.err) == (Exit.OK, "")
        return printed.out

    return tell


# backup


def test_a_backup_says_how_much_there_is_and_up_to_where(done: str, tmp_path: Path, told: Callable[..., str]) -> None:
    target = str(tmp_path / "copy.db")

    said = told("backup", done, target)

    assert re.fullmatch(rf"{re.escape(target)}: \d+\.\d kB, up to entry \d+ of the logbook\n", said)
    assert told("show", target, RUN) == told("show", done, RUN)
    assert "is whole" in told("verify", target)


def test_a_backup_overwrites_nothing_and_says_so(done: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["backup", done, done]) == Exit.FILE

    assert capsys.readouterr().err == (
        f"choragus: {done} exists, and a backup overwrites nothing: name a file that is not there\n"
    )


def test_a_run_in_a_copy_of_a_file_in_use_waits_where_it_waited(tmp_path: Path, told: Callable[..., str]) -> None:
    path, copy = tmp_path / "runs.db", tmp_path / "copy.db"
    anyio.run(leave_waiting, path)

    async def copy_and_decide() -> str:
        async with Runtime(path, agents=[clerk()]):
            await anyio.to_thread.run_sync(told, "backup", str(path), str(copy))
            async with Runtime(copy, agents=[clerk()]) as runtime:
                run = await runtime.run(RUN)
                (approval,) = await run.pending()
                await run.approve(approval, by="mia")
                return str(await run.result(5.0))

    assert anyio.run(copy_and_decide) == "All is paid.\nNothing is left."
    assert "waits" in told("show", str(path), RUN)


# prune and compact


def test_what_ended_long_ago_is_pruned_and_the_rest_is_kept(done: str, told: Callable[..., str]) -> None:
    assert told("prune", done, "--older-than", "1d").startswith("pruned 0 runs that ended before ")
    assert told("prune", done, "--older-than", "0s", "--dry-run").startswith("would prune 1 run that ended before ")
    assert RUN in told("runs", done)

    said = told("prune", done, "--older-than", "0s")

    assert re.fullmatch(
        r"pruned 1 run that ended before [-\d]+ [:\d]+: \d+ entries, 4 states, \d+ finished records\n"
        rf"the file keeps its size until `choragus compact {re.escape(done)}`\n",
        said,
    )
    assert told("runs", done) == f"no runs in {done}\n"
    assert told("prune", done, "--older-than", "0s").startswith("pruned 0 runs ")


def test_verify_tells_of_what_was_pruned(done: str, told: Callable[..., str]) -> None:
    told("prune", done, "--older-than", "0s")

    said = told("verify", done)

    assert re.search(
        r"is whole: \d+ records, 0 entries in 3 hash chains; pruned before: \d+ entries of 3 streams\n$", said
    )
    assert f"run/{RUN}" in told("verify", done, "--pruned")


def test_a_run_that_waits_for_a_person_is_never_pruned(tmp_path: Path, told: Callable[..., str]) -> None:
    path = str(tmp_path / "runs.db")
    anyio.run(leave_waiting, Path(path))

    assert told("prune", path, "--older-than", "0s").startswith("pruned 0 runs ")

    assert RUN in told("approvals", path)


def test_a_compacted_file_says_its_sizes(done: str, told: Callable[..., str]) -> None:
    told("prune", done, "--older-than", "0s")

    assert re.fullmatch(rf"{re.escape(done)}: \d+\.\d kB before, \d+\.\d kB now\n", told("compact", done))
    assert "is whole" in told("verify", done)


def test_compacting_beside_an_owner_is_refused_with_the_remedy(done: str, capsys: pytest.CaptureFixture[str]) -> None:
    async def beside() -> int:
        async with Runtime(done, agents=[clerk()]):
            return await anyio.to_thread.run_sync(main, ["compact", done])

    assert anyio.run(beside) == Exit.FILE

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"choragus: {done} is owned by process ")
    assert "stop it before you compact" in line


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1.5d", "30y", ""])
def test_an_age_that_is_none_is_refused(done: str, age: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prune", done, f"--older-than={age}"]) == Exit.USAGE

    assert "is no age: give a number with s, m, h, d or w, such as 30d" in capsys.readouterr().err
