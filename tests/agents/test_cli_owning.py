"""The commands that take the user's code: run, serve and draw, and how they name what is wrong with it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.inspection import runs
from choragus.agents.state import Status
from choragus.mailbox.sqlite import SqliteStore

from .cli_clerk import leave_waiting

APP = "tests.agents.cli_app"
Printed = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def app_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The file of the application's runtimes."""
    path = str(tmp_path / "app.db")
    monkeypatch.setenv("CHORAGUS_TEST_FILE", path)
    return path


def _run(*argv: str) -> int:
    return main(["run", "--app", *argv])


@pytest.mark.parametrize("name", ["make", "later", "opened", "closed", "in_memory"])
def test_run_takes_a_runtime_however_it_is_given(name: str, capsys: Printed) -> None:
    assert _run(f"{APP}:{name}", "quick", "Go.") == Exit.OK

    printed = capsys.readouterr()
    assert printed.out.startswith("It is done.\n")
    assert re.search(r"started    quick: Go\.", printed.err)


def test_run_with_a_key_that_was_used_prints_the_answer_that_there_is(capsys: Printed, app_file: str) -> None:
    _run(f"{APP}:make", "quick", "Go.", "--key", "1", "--json")
    _run(f"{APP}:make", "quick", "Go.", "--key", "1", "--json")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ends = [line for line in lines if "outcome" in line]
    assert len({line["run"] for line in ends}) == 1
    assert ends[0]["outcome"] == "It is done.\nAll of it."
    assert len(anyio.run(_statuses, app_file)) == 1


def test_a_run_without_a_result_ends_with_a_problem(capsys: Printed) -> None:
    assert _run(f"{APP}:make", "broken", "Go.") == Exit.PROBLEMS

    printed = capsys.readouterr()
    assert printed.out == ""
    assert "failed: " in printed.err


def test_a_run_that_is_detached_is_on_disk_and_says_how_it_goes_on(capsys: Printed, app_file: str) -> None:
    assert _run(f"{APP}:make", "clerk", "Go.", "--detach", "--key", "1") == Exit.OK

    printed = capsys.readouterr()
    ((id, status),) = anyio.run(_statuses, app_file)
    assert printed.out == f"{id}\n"
    assert not status.is_final
    assert f"goes on when {app_file} is next opened: `choragus serve --app {APP}:make`" in printed.err


@pytest.mark.parametrize(
    ("app", "says"),
    [
        (APP, "names no runtime: --app takes MODULE:NAME"),
        ("no.such.module:runtime", "there is no module 'no.such.module' in"),
        (f"{APP}:nobody", "has no 'nobody': its runtimes are runtime, in_memory"),
        (f"{APP}:nothing", "is no Runtime, and gives none: it is of type int"),
        (f"{APP}:Runtime", "is the class Runtime: name a Runtime"),
        (f"{APP}:wants", "cannot be called without arguments"),
    ],
)
def test_an_application_that_is_none_is_named(app: str, says: str, capsys: Printed) -> None:
    assert _run(app, "quick", "Go.") == Exit.USAGE

    (line,) = capsys.readouterr().err.splitlines()
    assert says in line


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("import nowhere_to_be_found", "line 1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"),
        ("x = (", "line 1: SyntaxError"),
        ("\n1 / 0", "line 2: ZeroDivisionError: division by zero"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_the_line(
    text: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    name = f"broken_app_{abs(hash(text))}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.chdir(tmp_path)  # the current folder is looked in

    assert _run(f"{name}:runtime", "quick", "Go.") == Exit.USAGE

    (line,) = capsys.readouterr().err.splitlines()
    assert f"module '{name}' cannot be imported in" in line
    assert says in line


def test_an_agent_that_is_not_there_is_refused_before_anything_is_opened(capsys: Printed, app_file: str) -> None:
    assert _run(f"{APP}:make", "nobody", "Go.") == Exit.USAGE

    assert "has no agent 'nobody': its agents are clerk, quick, broken" in capsys.readouterr().err
    assert not Path(app_file).exists()


def test_draw_shows_the_runtime_without_opening_it(capsys: Printed, app_file: str) -> None:
    assert main(["draw", "--app", f"{APP}:make"]) == Exit.OK

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{APP}:make  a runtime on /")
    assert "|  |- clerk  scripted" in lines
    assert "|  |  `- pay  irreversible" in lines
    assert not Path(app_file).exists()


def test_draw_shows_a_file_as_text_as_a_diagram_and_as_json(tmp_path: Path, told: Callable[..., str]) -> None:
    file = tmp_path / "runs.db"
    anyio.run(leave_waiting, file)

    text, diagram, fields = (told("draw", str(file), *more) for more in ((), ("--mermaid",), ("--json",)))

    assert "|  |- choragus.orchestrator  1 actor" in text.splitlines()
    assert diagram.splitlines()[0] == "graph TD"
    assert "choragus.guardrail: 1 actor" in diagram
    assert json.loads(fields)["below"][0]["below"][0]["name"] == "choragus.orchestrator"


@pytest.mark.parametrize("argv", [["draw"], ["draw", "FILE", "--mermaid", "--json"]], ids=["no file", "two forms"])
def test_a_drawing_of_nothing_or_in_two_forms_is_refused(argv: list[str], tmp_path: Path, capsys: Printed) -> None:
    file = tmp_path / "runs.db"
    anyio.run(leave_waiting, file)

    assert main([str(file) if one == "FILE" else one for one in argv]) == Exit.USAGE

    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.fixture
def told(capsys: Printed) -> Callable[..., str]:
    """Runs a command that must succeed, and gives what it printed."""

    def tell(*argv: str) -> str:
        assert main(argv) == Exit.OK
        return capsys.readouterr().out

    return tell


async def _statuses(path: str) -> list[tuple[str, Status]]:
    store = await SqliteStore.open(path, visitor=True)
    try:
        return [(one.run, one.status) for one in await runs(store)]
    finally:
        await store.close()
