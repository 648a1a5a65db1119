"""What commands refuse, with which exit code, and what they say of themselves."""

from __future__ import annotations

import re
import sqlite3
from argparse import _SubParsersAction
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.cli import command as declaring
from choragus.agents.cli import main
from choragus.agents.cli.catalogue import ALSO, COMMANDS, GROUPS
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.parser import parser
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.mailbox.schema import MIGRATIONS

from .cli_clerk import RUN, complete, leave_waiting

FORGERY = "UPDATE entry SET body = CAST(replace(body, 'mia', 'eve') AS BLOB) WHERE kind = 'approval.decided'"
OWNING = {"run": "--app", "serve": "--app", "completion": "bash"}
"""What stands in the place of a file."""


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
    return str(path)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed, and gives what it printed."""

    def tell(*argv: str) -> str:
        assert main(argv) == Exit.OK
        return capsys.readouterr().out

    return tell


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail with a code, and gives the one line that it says."""

    def refuse(code: Exit, *argv: str) -> str:
        assert main(argv) == code
        printed = capsys.readouterr()
        assert printed.out == ""
        (line,) = printed.err.splitlines()
        return line

    return refuse


# what cannot be used


def test_show_of_a_changed_entry_names_verify(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "runs.db"
    anyio.run(complete, path)
    _change(path, FORGERY)

    line = refused(Exit.FILE, "show", str(path), RUN, "--json")

    assert line.endswith(f"check the file with `choragus verify {path}`")


def _missing(path: Path) -> None: ...


def _newer(path: Path) -> None:
    anyio.run(leave_waiting, path)
    _change(path, f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        pytest.param(_missing, "does not exist: name a file", id="missing"),
        pytest.param(lambda path: path.write_text("Dear diary, today"), "is no SQLite database", id="text"),
        pytest.param(lambda path: path.write_bytes(b""), "is empty: name a file", id="empty"),
        pytest.param(lambda path: path.mkdir(), "is a folder: name the database in it", id="folder"),
        pytest.param(lambda path: _change(path, "CREATE TABLE t (a)"), "of another program", id="other program"),
        pytest.param(_newer, "upgrade choragus", id="newer"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_left_alone(
    tmp_path: Path, make: Callable[[Path], object], says: str, refused: Callable[..., str]
) -> None:
    path = tmp_path / "file.db"
    make(path)
    before = _bytes(path)

    line = refused(Exit.FILE, "runs", str(path))

    assert line.startswith(f"choragus: {path} ")
    assert says in line
    assert _bytes(path) == before


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        pytest.param(["show", "FILE", "beef"], "no run 'beef' in FILE: list them with `choragus runs", id="run"),
        pytest.param(["show", "FILE", ""], "no run '' in FILE", id="empty run"),
        pytest.param(["approve", "FILE", "beef"], "no approval 'beef' in FILE", id="approval"),
        pytest.param(["settle", "FILE", RUN, "1.1", "--not"], "call '1.1' of run .* is not of unknown", id="call"),
        pytest.param(["settle", "FILE", RUN, "1.1", "--not", "--result", "x"], "--result says", id="result"),
        pytest.param(["cancel", "FILE", RUN], "run .* has ended \\(completed\\)", id="ended"),
        pytest.param(["cancel", "FILE", "beef"], "no run 'beef'", id="cancel"),
        pytest.param(["requeue", "FILE", "beef"], "no parked message 'beef'", id="parked"),
        pytest.param(["requeue", "FILE", "a/b", "c"], "no parked message 'c' to 'a/b'", id="parked by receiver"),
        pytest.param(["show", "FILE", "\x1b[2J"], r"no run '\\x1b\[2J'", id="nasty"),
    ],
)
def test_what_is_not_there_is_refused(done: str, argv: list[str], says: str, refused: Callable[..., str]) -> None:
    line = refused(Exit.USAGE, *(done if one == "FILE" else one for one in argv))

    assert re.match(f"choragus: {says.replace('FILE', re.escape(done))}", line)


def test_the_beginning_of_two_ids_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    path = tmp_path / "runs.db"

    async def make() -> list[str]:
        agent = Agent("quick", model=ScriptedModel(["Done."]))
        async with Runtime(path, agents=[agent]) as runtime:
            started = [await runtime.start(agent, "Go.", key=str(n)) for n in range(17)]
            return [run.id for run in started]

    ids = anyio.run(make)
    digit = next(id[0] for id in ids if sum(other[0] == id[0] for other in ids) > 1)

    assert re.match(rf"choragus: \d+ runs begin with '{digit}': ", refused(Exit.USAGE, "show", str(path), digit))


# help


@pytest.mark.parametrize("argv", [[], ["dance"], ["runs"], ["settle", "runs.db", "5f2c", "2.1"]], ids="-".join)
def test_bad_usage_ends_with_its_code(argv: list[str]) -> None:
    assert main(argv) == Exit.USAGE


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_an_example_and_fits_80_columns(
    command: str, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(declaring, "page", lambda: 80)

    text = told(command, "--help")

    explained, _, examples = text.partition("\nan example:\n")
    assert examples.startswith(f"  choragus {command} {OWNING.get(command, 'runs.db')}")
    assert max(map(len, explained.splitlines())) <= 80


def test_help_names_every_command_and_exit_code(told: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(declaring, "page", lambda: 80)

    text = told("--help")

    assert max(map(len, text.splitlines())) <= 80
    commands = text.partition("options:")[0]
    assert re.findall(r"^  (\w+)  ", commands, flags=re.MULTILINE) == list(COMMANDS)
    assert re.findall(r"^([a-z, ]+):$", commands, flags=re.MULTILINE) == list(GROUPS.values())
    assert all(re.search(rf"\b{code.value}\b", text.partition("exit codes:")[2]) for code in Exit)


def test_version_is_told(told: Callable[..., str]) -> None:
    assert re.fullmatch(r"choragus \d+\.\d+\.\d+\n", told("--version"))


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def test_help_as_a_word_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["help", "stats"]) == Exit.OK

    assert capsys.readouterr().out.startswith("usage: choragus stats ")


@pytest.mark.parametrize(
    ("word", "told"),
    [("statz", "did you mean stats? "), ("kill", "did you mean cancel? "), ("xyzzy", "there is no command 'xyzzy': `")],
)
def test_a_word_that_is_no_command_is_told_which_is_meant(
    word: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([word, "runs.db"]) == Exit.USAGE

    said = capsys.readouterr().err
    assert told in said
    assert said.endswith("`choragus --help` lists all\n")


def test_other_tools_words_are_no_commands_and_mean_one() -> None:
    words = [word for meant in ALSO.values() for word in meant.split()]

    assert set(ALSO) <= set(COMMANDS)
    assert not set(words) & set(COMMANDS)
    assert len(words) == len(set(words))


def test_each_value_of_each_option_has_a_name() -> None:
    (commands,) = (one for one in parser()._actions if isinstance(one, _SubParsersAction))
    actions = [(name, action) for name, one in commands.choices.items() for action in one._actions]

    assert [(name, action.dest) for name, action in actions if action.nargs != 0 and action.metavar is None] == []
