"""The commands that only read: what they import, what they list of many runs, and how SQLite finds it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from argparse import _SubParsersAction
from collections.abc import Callable
from contextlib import closing

import anyio
import attrs
import pytest
from benchmarks import cli_rate
from tests.agents.cli_clerk import RUN, leave_waiting

from choragus.agents.approval import Approval
from choragus.agents.cli import listing, main, tree
from choragus.agents.cli.catalogue import COMMANDS
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.parser import parser
from choragus.agents.cli.pending import Recorded
from choragus.agents.cli.record import FINAL, STATES, AskedRow, RunRow, UnknownRow
from choragus.agents.cli.vote import missing, said
from choragus.agents.inspection import RunSummary, Unknown
from choragus.agents.state import Status
from choragus.mailbox.reader import Reader

HEAVY = ("attrs", "attr", "msgspec", "cattrs", "anyio", "asyncio", "aiosqlite", "opentelemetry", "rich")
LIGHT = {
    "runs": (),
    "show": (RUN,),
    "tail": ("--once",),
    "tree": (RUN,),
    "top": ("--once",),
    "ledgers": (),
    "approvals": (),
    "rules": (),
    "parked": (),
    "thread": (RUN,),
    "documents": (),
    "draw": (),
    "doctor": (),
}
"""Reading commands with what they take behind the file."""

MANY = 1200


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a run that waits for approval."""
    path = tmp_path_factory.mktemp("light") / "runs.db"
    anyio.run(leave_waiting, path)
    return str(path)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with many runs, and one of many entries."""
    path = tmp_path_factory.mktemp("crowded") / "runs.db"
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("RUNS", MANY), ("ENTRIES", 3000), ("LONG", f"{MANY - 1:012x}"), ("STEP", 600)):
            patch.setattr(cli_rate, name, value)
        anyio.run(cli_rate.fill, path)
    return str(path)


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must succeed, and gives what it printed."""

    def tell(*argv: str) -> str:
        assert main(argv) in (Exit.OK, Exit.PROBLEMS)
        return capsys.readouterr().out

    return tell


def test_the_light_ones_are_all_that_only_read() -> None:
    every = {name: parser([name]).parse_args(_argv(name)) for name in COMMANDS if name in LIGHT}

    assert all(asked.reads for asked in every.values())


def _argv(name: str) -> list[str]:
    return [name, "runs.db", *LIGHT[name]]


def test_no_reading_command_imports_a_library(file: str) -> None:
    """In one process, for each start takes its time: whatever any of them imports is there in the end."""
    script = (
        "import sys; from choragus.agents.cli import main\n"
        f"for argv in {[[name, file, *more] for name, more in LIGHT.items()]!r}:\n"
        "    main(argv)\n"
        f"    heavy = [one for one in {HEAVY!r} if one in sys.modules]\n"
        "    ours = [one for one in sys.modules if one in ('choragus.agents.runtime', 'choragus.mailbox.store')]\n"
        "    assert not heavy + ours, (argv[0], heavy, ours)\n"
    )

    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert ended.returncode == 0, ended.stderr


def test_explain_imports_neither_the_kernel_nor_opentelemetry(file: str) -> None:
    """It puts the context of a call together by the same function as the call, and so it needs more than the others."""
    script = (
        f"import sys; from choragus.agents.cli import main; main(['explain', {file!r}, {RUN!r}])\n"
        "bad = ('choragus.agents.runtime', 'choragus.supervision.system', 'choragus.actors.kernel', 'opentelemetry')\n"
        "assert not [one for one in bad if one in sys.modules]\n"
    )

    subprocess.run([sys.executable, "-c", script], stdout=subprocess.DEVNULL, check=True)


WITHOUT_JSON = {"completion", "export", "regress", "heads", "ui"}
"""A script, three that write JSON in any case, and a page."""


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_speaks_json(name: str) -> None:
    (commands,) = (one for one in parser([name])._actions if isinstance(one, _SubParsersAction))

    options = {text for action in commands.choices[name]._actions for text in action.option_strings}
    assert "--json" in options or name in WITHOUT_JSON


@pytest.mark.parametrize("name", [*LIGHT, "show --json", "explain"])
def test_json_is_printed_line_by_line(name: str, file: str, told: Callable[..., str]) -> None:
    command = name.partition(" ")[0]
    more = LIGHT.get(command, (RUN,))

    lines = told(command, file, *more, "--json").splitlines()

    assert all(isinstance(json.loads(line), dict) for line in lines)


@pytest.mark.parametrize("name", LIGHT)
def test_everything_fits_80_columns(
    name: str, crowded: str, file: str, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("listing", "logbook", "tail", "tree", "top", "thread", "parking", "accounting", "drawing", "doctor"):
        monkeypatch.setattr(f"choragus.agents.cli.{module}.page", lambda: 80)
    monkeypatch.setattr("choragus.agents.cli.request.page", lambda: 80)
    long = f"{MANY - 1:012x}"

    for path, run in ((crowded, long), (file, RUN)):
        lines = told(name, path, *(run if one == RUN else one for one in LIGHT[name])).splitlines()

        commands = [line for line in lines if "choragus " in line]  # to be copied, so they are never broken
        assert [line for line in lines if len(line) > 80 and line not in commands and path not in line] == []


def test_the_rows_have_the_fields_of_the_classes_that_are_stored() -> None:
    for row, cls, left in ((RunRow, RunSummary, set()), (AskedRow, Approval, {"desk"}), (UnknownRow, Unknown, set())):
        assert {field.name for field in attrs.fields(cls)} - left <= set(row._fields)
    assert set(STATES) == {one.value for one in Status}
    assert {one.value for one in Status if one.is_final} == FINAL


# runs


def test_runs_lists_the_newest_in_their_order_and_says_how_many_there_are(
    crowded: str, told: Callable[..., str]
) -> None:
    lines = told("runs", crowded).splitlines()
    rows = [line.split()[0] for line in lines[1:] if line.startswith("0000")]

    assert rows == [f"{number:012x}" for number in range(MANY - listing.LIMIT, MANY)]
    assert f"the newest {listing.LIMIT} of {MANY} runs; all of them: choragus runs {crowded} --limit 0" in lines


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (["--limit", "0"], MANY),
        (["--limit", "7"], 7),
        (["--status", "waiting", "--status", "running"], cli_rate.OPEN),
        (["--status", "failed"], 0),
        (["--agent", "agent-3", "--limit", "0"], len(range(3, MANY, 7))),
        (["--key", f"{5:012x}"], 1),
        (["--tenant", "acme"], 0),
        (["--since", "2001-09-09 00:00", "--until", "2001-09-11", "--limit", "0"], MANY),
        (["--since", "30d"], 0),
    ],
    ids=str,
)
def test_runs_are_narrowed(options: list[str], count: int, crowded: str, told: Callable[..., str]) -> None:
    assert len(told("runs", crowded, "--json", *options).splitlines()) == count


@pytest.mark.parametrize("argv", [["--since", "soon"], ["--limit", "-1"], ["--status", "odd"], ["--until", "1e999"]])
def test_what_narrows_nothing_is_bad_usage(argv: list[str], crowded: str) -> None:
    assert main(["runs", crowded, *argv]) == Exit.USAGE


def test_no_run_that_fits_is_said(crowded: str, told: Callable[..., str]) -> None:
    assert told("runs", crowded, "--agent", "nobody") == f"no such runs in {crowded}\n"


SMALL = ("SCAN effect USING INDEX effect_unfinished", "SCAN lease")
"""What may be read whole: the index of the effects that are under way, and the one row of the owner."""

FEW = (("approval",), ("attention",), ("refused",))
"""Kinds of rows that are sorted all the same: what waits for a person, or is refused, is not much."""


@pytest.mark.parametrize(
    "argv",
    [["runs"], ["show", f"{MANY - 1:012x}"], ["approvals"], ["tree", f"{MANY - 1:012x}"]],
    ids=lambda one: one[0],
)
def test_no_first_line_waits_for_a_sort_or_for_all_rows(
    argv: list[str], crowded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What SQLite is asked goes by an index, in the order that the index has; only the row is looked up beside."""
    asked: list[tuple[str, tuple[object, ...]]] = []
    rows = Reader._rows

    def noted(self: Reader, statement: str, *values: object) -> list[tuple[object, ...]]:
        asked.append((statement, values))
        return rows(self, statement, *values)

    monkeypatch.setattr(Reader, "_rows", noted)
    main([argv[0], crowded, *argv[1:]])

    with closing(sqlite3.connect(crowded)) as connection:
        for statement, values in asked:
            if not statement.startswith("PRAGMA"):
                plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values)]
                is_few = values[:1] in FEW or "stream.forked" in statement  # the forks of a file
                sorts = any("TEMP B-TREE" in step for step in plan)
                scans = [step for step in plan if step.startswith("SCAN") and step not in SMALL]
                assert is_few or not sorts, (statement, plan)
                assert not scans, (statement, plan)


# show


def test_show_begins_anywhere(crowded: str, told: Callable[..., str]) -> None:
    run = f"{MANY - 1:012x}"

    last = told("show", crowded, run, "--tail", "3")
    some = told("show", crowded, run, "--from", "2999", "--json")

    assert [line.split()[0] for line in last.splitlines() if "  model  " in line] == ["2998", "2999", "3000"]
    assert [json.loads(line)["position"] for line in some.splitlines()] == [2999, 3000]
    assert main(["show", crowded, run, "--from", "3001"]) == Exit.USAGE


def test_show_of_a_long_run_shows_its_beginning_at_once(crowded: str) -> None:
    """The reader goes away after the first screen, and nothing more is read."""
    with subprocess.Popen(
        [sys.executable, "-m", "choragus", "show", crowded, f"{MANY - 1:012x}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": ""},
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.stdout.close()
        code = process.wait(20)
        assert process.stderr is not None
        said = process.stderr.read()

    assert first.startswith(b"run      0000")
    assert (code, said) == (Exit.BROKEN_PIPE, b"")


# tree


def test_a_tree_that_goes_in_circles_has_each_run_once(
    crowded: str, told: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    around = [f"{number:012x}" for number in (1, 2, 3)]
    monkeypatch.setattr(tree, "_below", lambda glance, one: iter([(run, "fork") for run in around]))

    lines = told("tree", crowded, around[0], "--json").splitlines()

    assert [json.loads(line)["run"] for line in lines] == around


def test_show_from_anywhere_names_what_was_asked_for_before(file: str, told: Callable[..., str]) -> None:
    rows = told("show", file, RUN, "--from", "12").splitlines()

    assert any(row.startswith("  12 ") and 'allowed    list_invoices {"week": ' in row for row in rows)
    assert not any(row.startswith("   7 ") for row in rows)


def test_one_who_denies_is_enough() -> None:
    asked = AskedRow("a", "r", "1.1", "pay", {}, "h", 0.0, quorum=5, given=("ann",))
    votes = [Recorded(True, "bob", "", None), Recorded(False, "eve", "no", None)]

    assert (missing(asked, votes[:1]), missing(asked, votes), said(votes[1])) == (3, 0, "denied by eve (no)")
