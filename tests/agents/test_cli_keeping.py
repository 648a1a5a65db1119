"""The commands that keep a file in order: backup."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.runtime import Runtime

from .cli_clerk import RUN, clerk, complete, leave_waiting


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
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
                return await run.result(5.0)

    assert anyio.run(copy_and_decide) == "All is paid.\nNothing is left."
    assert "waits" in told("show", str(path), RUN)
