"""The commands that read a file: runs, show, approvals, verify; and how they spell foreign text."""

from __future__ import annotations

import contextlib
import json
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from choragus.agents.agent import Agent
from choragus.agents.cli import listing, main
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.text import GOES_ON, MARGIN, as_json, block, columns, short, table
from choragus.agents.errors import Outcome
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, ToolCall, Usage
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel

from .cli_clerk import GOAL, NASTY, RUN, complete, leave_waiting, list_invoices

FORGERY = "UPDATE entry SET body = CAST(replace(body, 'mia', 'eve') AS BLOB) WHERE kind = 'approval.decided'"


class Broken(ScriptedModel):
    """Its price is none, which fails the orchestrator on a message."""

    def estimate(self, request: ModelRequest) -> Usage:
        """A price that is none."""
        most = Usage()
        object.__setattr__(most, "cost_usd", None)
        return most


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one completed run."""
    path = tmp_path_factory.mktemp("done") / "runs.db"
    anyio.run(complete, path)
    return str(path)


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one run that waits for approval."""
    path = tmp_path_factory.mktemp("waiting") / "runs.db"
    anyio.run(leave_waiting, path)
    return str(path)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed, and gives what it printed."""

    def tell(*argv: str) -> str:
        assert main(argv) == Exit.OK
        return capsys.readouterr().out

    return tell


async def _run(path: Path, agent: Agent, attempts: int = 5) -> None:
    async with Runtime(path, agents=[agent], attempts=attempts) as runtime:
        run = await runtime.start(agent, "Try.", key="1")
        with contextlib.suppress(Outcome):
            await run.result()


# runs


def test_runs_lists_each_run_on_a_line(done: str, told: Callable[..., str]) -> None:
    header, line = told("runs", done).splitlines()

    assert header.split() == ["RUN", "AGENT", "STATUS", "STEPS", "TOKENS", "COST", "STARTED", "GOAL"]
    assert re.match(rf"{RUN}  clerk  completed +3 +\d+  \$0\.\d{{4}}  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d  Pay", line)


def test_runs_says_what_a_run_waits_for(waiting: str, told: Callable[..., str]) -> None:
    lines = told("runs", waiting).splitlines()

    assert lines[2] == "  | 2.1 pay: approval"
    assert lines[-1].startswith("1 run waiting for a person: choragus approvals ")


def test_runs_fit_80_columns_with_the_goal_on_a_line_of_its_own(
    done: str, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "page", lambda: 80)

    lines = told("runs", done).splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[0].endswith("STARTED")
    assert lines[1].startswith(RUN)
    assert lines[2] == f"  | {GOAL}"


def test_runs_of_a_file_without_runs_says_so(tmp_path: Path, told: Callable[..., str]) -> None:
    path = tmp_path / "empty.db"

    async def make() -> None:
        async with Runtime(path, agents=[]):
            pass

    anyio.run(make)

    assert told("runs", str(path)) == f"no runs in {path}\n"


# show


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(rf"started    clerk: {GOAL}", id="start"),
        pytest.param(r"1      model      \d+ \+ \d+ tokens, \$0\.\d{4}, 0\.\d+ s: Let me look\.", id="model"),
        pytest.param(r'1\.1    allowed    list_invoices \{"week": "2026-W47"\}', id="call and verdict"),
        pytest.param(r'1\.1    result     \["A-17","A-18"\]  \(0\.\d+ s\)', id="result"),
        pytest.param(r"1\.2    error      note failed: OSError: out of paper  \(0\.\d+ s\)", id="error"),
        pytest.param(r"1\.3    refused    nothing \{\}", id="unknown tool"),
        pytest.param(r'2\.1    waits      pay \{"invoice": "A-17.*\.\.\.  \(approval [0-9a-f]{8}\)', id="approval"),
        pytest.param(r"2\.1    approved   by mia: as agreed", id="decision"),
        pytest.param(r"       completed  3 steps, \d+ \+ \d+ tokens, \$0\.\d{4}, \d\.\d+ s", id="outcome"),
    ],
)
def test_show_tells(done: str, row: str, told: Callable[..., str]) -> None:
    assert re.search(rf"^ *\d+  \d\d:\d\d:\d\d  +{row}$", told("show", done, RUN), re.MULTILINE)


def test_show_gives_the_whole_outcome(done: str, told: Callable[..., str]) -> None:
    assert told("show", done, RUN).endswith("\n  | All is paid.\n  | Nothing is left.\n")


def test_show_of_an_unfinished_run_ends_with_where_it_stands(waiting: str, told: Callable[..., str]) -> None:
    *_, stands, waits, command = told("show", waiting, RUN).splitlines()

    assert (stands, waits) == ("waiting at step 2 (act)", "  | 2.1 pay: approval")
    assert command.startswith("choragus approvals ")


def test_show_takes_the_beginning_of_an_id(done: str, told: Callable[..., str]) -> None:
    assert told("show", done, RUN[:3]) == told("show", done, RUN)


def test_show_json_gives_every_entry(done: str, told: Callable[..., str]) -> None:
    entries = [json.loads(line) for line in told("show", done, RUN, "--json").splitlines()]

    assert [entry["position"] for entry in entries] == list(range(1, len(entries) + 1))
    assert {"run.started", "phase", "budget.spent", "run.ended"} <= {entry["kind"] for entry in entries}
    assert NASTY in [entry["data"].get("arguments", {}).get("invoice") for entry in entries]


def test_show_follow_of_an_ended_run_ends(done: str, told: Callable[..., str]) -> None:
    assert told("show", done, RUN, "--follow") == told("show", done, RUN)


def test_show_tells_failures_restarts_and_what_was_parked(tmp_path: Path, told: Callable[..., str]) -> None:
    path = tmp_path / "runs.db"
    anyio.run(_run, path, Agent("broken", model=Broken([])), 2)

    text = re.sub(r"\n {20,}", " ", told("show", str(path), _only(path)))

    assert re.search(r"failed     orchestrator on perceived, try 1, restarted: TypeError: unsupported operand", text)
    assert re.search(r"parked     perceived to orchestrator: failed 2 times, last with TypeError: unsup", text)
    assert re.search(r"failed     0 steps, 0 \+ 0 tokens", text)


def test_show_tells_what_a_limit_ended(tmp_path: Path, told: Callable[..., str]) -> None:
    path = tmp_path / "runs.db"
    model = ScriptedModel([ModelReply(calls=(ToolCall("a", "list_invoices", {"week": "47"}),)), "Never said."])
    anyio.run(_run, path, Agent("stopped", model=model, tools=[list_invoices], limits=Limits(steps=1)))

    text = told("show", str(path), _only(path))

    assert re.search(r"limit      1 step, .*\n  \| steps is limited to 1", text)


# what a model writes


@pytest.mark.parametrize("command", [["runs"], ["show", RUN], ["show", RUN, "--json"], ["approvals"]], ids="-".join)
def test_nothing_that_a_model_writes_reaches_the_terminal(
    waiting: str, command: list[str], told: Callable[..., str]
) -> None:
    lines = told(command[0], waiting, *command[1:]).split("\n")

    assert all(line.isprintable() for line in lines)
    assert not any(line.startswith("approved") for line in lines)


@pytest.mark.parametrize("command", [["runs"], ["show", RUN]], ids="-".join)
def test_lines_fit_100_columns(waiting: str, command: list[str], told: Callable[..., str]) -> None:
    lines = told(command[0], waiting, *command[1:]).splitlines()

    assert [line for line in lines if len(line) > 100 and not line.startswith(("choragus", "1 run"))] == []


def test_approvals_shows_the_exact_arguments(waiting: str, told: Callable[..., str]) -> None:
    lines = told("approvals", waiting).splitlines()

    shown = ", ".join(line.removeprefix("  | ") for line in lines if line.startswith("  | "))
    assert json.loads(f"{{{shown}}}") == {"invoice": NASTY, "amount": "120.00"}


def test_approvals_gives_commands_to_copy(waiting: str, told: Callable[..., str]) -> None:
    text = told("approvals", waiting)

    assert re.search(r"^  choragus approve \S+ [0-9a-f]{8} --seen [0-9a-f]{8}$", text, re.MULTILINE)
    assert re.search(r"^  choragus deny \S+ [0-9a-f]{8} --seen [0-9a-f]{8} --reason 'why not'$", text, re.MULTILINE)


def test_approvals_says_when_nothing_waits(done: str, told: Callable[..., str]) -> None:
    assert told("approvals", done) == f"nothing in {done} waits for a person\n"


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(8, 60))
def test_a_block_shows_any_text_exactly_and_behind_a_margin(text: str, width: int) -> None:
    first, *more = block([as_json(text)], width)

    assert json.loads(first.removeprefix(MARGIN) + "".join(line.removeprefix(GOES_ON) for line in more)) == text
    assert first.startswith(MARGIN)
    assert all(line.startswith(GOES_ON) for line in more)
    assert all(line.isprintable() and columns(line) <= width for line in [first, *more])


@settings(max_examples=50, deadline=None)
@given(st.text(), st.integers(4, 40))
def test_a_short_text_fits(text: str, width: int) -> None:
    assert columns(short(text, width)) <= width


def test_a_table_aligns_wide_letters() -> None:
    lines = table(["A", "B"], [["日本", "x"], ["ab", "y"]], 40, frozenset())

    assert lines == ["A     B", "日本  x", "ab    y"]


# verify


def test_verify_says_that_a_file_is_whole(done: str, told: Callable[..., str]) -> None:
    assert re.fullmatch(rf"{done} is whole: \d+ records, \d+ entries in 3 hash chains\n", told("verify", done))


def test_verify_prints_each_problem_on_a_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "runs.db"
    anyio.run(complete, path)
    _change(path, FORGERY)

    code = main(["verify", str(path)])

    printed = capsys.readouterr()
    assert code == Exit.PROBLEMS
    assert any(
        re.search(rf"stream 'run/{RUN}' \(.*\) does not match its hash", line) for line in printed.out.splitlines()
    )
    assert printed.err.startswith(f"{path} has {len(printed.out.splitlines())} problems")


def _only(path: Path) -> str:
    with sqlite3.connect(path) as connection:
        (key,) = connection.execute("SELECT key FROM view WHERE kind = 'run'").fetchone()
    connection.close()
    return str(key)


def _change(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
