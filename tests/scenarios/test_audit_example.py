"""The audit example as its user runs it: a command, its output, its exit code, and what it leaves in the folder."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .fixture_tree import build
from .pseudo_terminal import PseudoTerminal
from .trial import read_record

EXAMPLE = Path(__file__).parents[2] / "examples/audit_environment.py"
COMMAND = re.compile(r"choragus (?:approve|deny|settle) .+")
FOUND = "Audited 6 distributions: 1 conflicting requirement, 1 unmet requirement"
MANY = 40
"""More distributions, so that an audit takes seconds."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    build(tmp_path / "tree")
    return tmp_path / "tree"


@pytest.fixture
def large_tree(tree: Path) -> Path:
    for number in range(MANY):
        info = tree / f"aa{number:02}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: aa{number:02}\nVersion: 1.0\n")
    return tree


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def line(tree: Path, out: Path, *options: str) -> list[str]:
    """The command line of an audit."""
    return [sys.executable, str(EXAMPLE), "--path", str(tree), "--out", str(out), *options]


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command where no person is."""
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=50, check=False)


def decide(printed: str, word: str = "") -> subprocess.CompletedProcess[str]:
    """Do in another process what the example printed, or the same with another word."""
    found = COMMAND.search(printed)
    assert found is not None, printed
    command = shlex.split(found[0].rstrip(")"))
    return run([sys.executable, "-m", "choragus", word or command[1], *command[2:], "--by", "ann"])


def start_until(command: list[str], shown: str) -> tuple[subprocess.Popen[str], str]:
    """Start a command and read its output up to a line that holds the text."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    read = ""
    while shown not in read:
        text = process.stdout.readline()
        assert text, f"{shown!r} was not printed, but {read}"
        read += text
    return process, read


def killed(command: list[str], shown: str) -> str:
    """What a command printed that is killed as soon as it has shown a text."""
    process, read = start_until(command, shown)
    with process:
        assert process.stdout is not None
        process.kill()
        return read + process.stdout.read()


def filed(out: Path) -> list[bytes]:
    return [path.read_bytes() for path in (out / "audit-archive").glob("*")]


def test_an_audit_shows_its_progress_its_findings_its_cost_and_its_report(tree: Path, out: Path) -> None:
    ended = run(line(tree, out, "--yes"))

    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.match(r"run [0-9a-f]{12}: begun\n  step 1\.1 +list_distributions: ok\n", ended.stdout)
    assert "  step 2.3     check_files alpha: ok\n" in ended.stdout
    assert f"\n{FOUND}" in ended.stdout
    assert re.search(r"\n12 steps, \d+ tokens, 0\.\d+ USD .*, \d+\.\d s, started [\d:]+\n", ended.stdout)
    assert f"\nreport: {out}/audit-report.md\n" in ended.stdout
    assert filed(out) == [(out / "audit-report.md").read_bytes()]


@pytest.mark.slow
def test_a_rerun_of_what_is_over_says_so_and_starts_nothing(tree: Path, out: Path) -> None:
    run(line(tree, out, "--yes"))
    before = read_record(out / "audit.db")

    ended = run(line(tree, out, "--yes"))

    assert ended.returncode == 0
    assert re.match(r"this audit ended before, on [-\d: ]+ \(completed\); nothing was started\n", ended.stdout)
    assert FOUND in ended.stdout
    assert read_record(out / "audit.db") == before


@pytest.mark.slow
def test_where_no_person_is_it_prints_the_command_that_approves(tree: Path, out: Path) -> None:
    ended = run(line(tree, out))
    assert (ended.returncode, filed(out)) == (3, [])
    assert re.search(
        rf"\nit waits for a person; decide with\n  \S*choragus approve {out}/audit\.db \w+\n", ended.stdout
    )

    approved = decide(ended.stdout)
    again = run(line(tree, out))

    assert (approved.returncode, again.returncode) == (0, 0), approved.stderr + again.stdout
    assert "waits" not in again.stdout
    assert filed(out) == [(out / "audit-report.md").read_bytes()]


@pytest.mark.slow
def test_asked_again_before_anybody_decided_it_waits_on(tree: Path, out: Path) -> None:
    first, second = run(line(tree, out)), run(line(tree, out))

    assert (first.returncode, second.returncode) == (3, 3)
    assert second.stdout.count("decide with") == 1


@pytest.mark.slow
def test_yes_given_later_decides_what_waits(tree: Path, out: Path) -> None:
    run(line(tree, out))

    ended = run(line(tree, out, "--yes"))

    assert (ended.returncode, len(filed(out))) == (0, 1)
    assert "approved by --yes" in ended.stdout


@pytest.mark.slow
def test_a_denied_filing_leaves_the_report_and_completes(tree: Path, out: Path) -> None:
    denied = decide(run(line(tree, out)).stdout, "deny")

    ended = run(line(tree, out))

    assert (denied.returncode, ended.returncode) == (0, 0), denied.stderr
    assert "written but not filed: denied by ann" in ended.stdout
    assert (filed(out), (out / "audit-report.md").exists()) == ([], True)


@pytest.mark.slow
@pytest.mark.parametrize("pace", ["-1", *(pytest.param(one, marks=pytest.mark.slow) for one in ("nan", "inf"))])
def test_a_pace_that_is_no_time_is_refused(tree: Path, out: Path, pace: str) -> None:
    ended = run([*line(tree, out), "--pace", pace])

    assert (ended.returncode, out.exists()) == (2, False)
    assert ended.stderr == f"audit: --pace {pace} is no time to think: give 0 to 3600 seconds\n"


@pytest.mark.parametrize("path", ["nowhere", pytest.param("tree/alpha/core.py", marks=pytest.mark.slow)])
def test_a_path_that_is_no_folder_is_refused(tree: Path, out: Path, path: str) -> None:
    ended = run(line(tree.parent / path, out))

    assert (ended.returncode, out.exists()) == (2, False)
    assert re.fullmatch(r"audit: --path .* is no folder: give the site-packages folder of .*\n", ended.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("below", ["deeper/down", pytest.param("", marks=pytest.mark.slow)])
def test_an_out_that_cannot_be_a_folder_is_refused(tree: Path, out: Path, below: str) -> None:
    out.write_text("mine")

    ended = run(line(tree, out / below))

    assert (ended.returncode, ended.stdout, out.read_text()) == (2, "", "mine")
    assert re.fullmatch(r"audit: --out .* cannot be a folder \(.*\): name another\n", ended.stderr)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_out_that_cannot_be_written_is_refused(tree: Path, out: Path) -> None:
    out.mkdir(mode=0o500)

    ended = run(line(tree, out))

    assert ended.returncode == 1
    assert re.fullmatch(r"audit: .*audit\.db cannot be opened: Permission denied\n", ended.stderr)


def test_a_database_of_another_program_is_left_alone(tree: Path, out: Path) -> None:
    out.mkdir()
    (out / "audit.db").write_text("mine")

    ended = run(line(tree, out))

    assert (ended.returncode, (out / "audit.db").read_text()) == (1, "mine")
    assert re.fullmatch(r"audit: .*audit\.db is no SQLite database: choose another path\n", ended.stderr)


def test_ctrl_c_ends_it_in_order_and_a_rerun_goes_on(large_tree: Path, out: Path) -> None:
    command = line(large_tree, out, "--yes")
    process, _ = start_until(command, "step 9.")
    with process:
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130

    with closing(sqlite3.connect(out / "audit.db")) as database:
        assert database.execute("SELECT clean FROM lease").fetchone() == (1,)
    ended = run(command)

    assert ended.returncode == 0
    assert re.match(r"run [0-9a-f]{12}: going on at step \d+, ", ended.stdout)
    assert "step 1.1" not in ended.stdout
    assert len(filed(out)) == 1


@pytest.mark.slow
def test_when_nobody_reads_the_output_any_more_it_ends_quietly(large_tree: Path, out: Path) -> None:
    command = shlex.join(line(large_tree, out, "--yes"))

    ended = run(["bash", "-c", f"set -o pipefail; {command} | head -1"])

    assert (ended.returncode, ended.stderr) == (141, "")


@pytest.mark.slow
def test_a_second_process_on_the_same_folder_is_refused(tree: Path, out: Path) -> None:
    with PseudoTerminal(line(tree, out)) as first:
        first.read_until("file it? [y/n]")

        second = run(line(tree, out, "--yes"))

    assert (second.returncode, second.stdout) == (1, "")
    assert second.stderr.startswith(f"audit: {out}/audit.db is owned by process {first.process.pid}: ")
    assert second.stderr.count("\n") == 1


def test_at_a_terminal_it_asks_and_files_on_yes(tree: Path, out: Path) -> None:
    with PseudoTerminal(line(tree, out)) as terminal:
        terminal.read_until("sha256 = ")
        terminal.read_until("file it? [y/n]")
        terminal.type("what?\n")
        terminal.read_until("file it? [y/n]")
        assert filed(out) == []
        terminal.type("y\n")

        assert terminal.ends() == 0

    assert "file_report: ok" in terminal.shown
    assert len(filed(out)) == 1


@pytest.mark.slow
def test_at_a_terminal_it_does_not_file_on_no(tree: Path, out: Path) -> None:
    with PseudoTerminal(line(tree, out)) as terminal:
        terminal.read_until("file it? [y/n]")
        terminal.type("n\n")

        assert terminal.ends() == 0

    assert "file_report: denied by terminal\n" in terminal.shown
    assert "written but not filed: denied by terminal" in terminal.shown
    assert filed(out) == []


@pytest.mark.slow
def test_a_terminal_that_is_closed_leaves_it_waiting(tree: Path, out: Path) -> None:
    with PseudoTerminal(line(tree, out)) as terminal:
        terminal.read_until("file it? [y/n]")
        terminal.type("\x04")

        assert terminal.ends() == 3

    assert re.search(r"decide with\r?\n  \S*choragus approve", terminal.shown)


@pytest.mark.slow
def test_ctrl_c_at_the_prompt_leaves_it_waiting(tree: Path, out: Path) -> None:
    with PseudoTerminal(line(tree, out)) as terminal:
        terminal.read_until("file it? [y/n]")
        terminal.process.send_signal(signal.SIGINT)

        assert terminal.ends() == 130

    assert terminal.shown.endswith("audit: stopped; run the same command again to go on\n")
    assert run(line(tree, out, "--yes")).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize(("word", "files"), [("approve", 1), pytest.param("deny", 0, marks=pytest.mark.slow)])
def test_a_decision_from_another_process_ends_the_question(tree: Path, out: Path, word: str, files: int) -> None:
    with PseudoTerminal(line(tree, out)) as terminal:
        terminal.read_until("file it? [y/n]")

        decided = decide(terminal.shown, word)
        code = terminal.ends()

    assert (decided.returncode, code) == (0, 0), decided.stderr
    assert "decided in another terminal" in terminal.shown
    assert len(filed(out)) == files


@pytest.mark.slow
def test_an_interrupted_filing_is_asked_about_at_a_terminal(tree: Path, out: Path) -> None:
    """Killed after its intent and before it began: the archive is empty, the person says so, and it is filed."""
    run(line(tree, out))
    with PseudoTerminal(_stopped_in_the_filing(tree, out)) as first:
        first.ends()
    assert first.process.returncode == -signal.SIGKILL

    with PseudoTerminal(line(tree, out, "--yes")) as terminal:
        terminal.read_until("[h]appened, [n]ot, [g]ive up?")
        assert filed(out) == []
        terminal.type("n\n")
        code = terminal.ends()

    assert (code, len(filed(out))) == (0, 1), terminal.shown


def _stopped_in_the_filing(tree: Path, out: Path) -> list[str]:
    """The command line of an audit that dies as its filing begins."""
    script = (
        "import os, signal, sys; sys.path.insert(0, sys.argv.pop(1)); import audit_environment; "
        "from environment_audit import filing; filing.file = lambda *_: os.kill(os.getpid(), signal.SIGKILL); "
        "sys.exit(audit_environment.main())"
    )
    return [sys.executable, "-c", script, str(EXAMPLE.parent), *line(tree, out, "--yes")[2:]]


def spans(printed: str) -> Iterator[dict[str, object]]:
    """The spans among the lines of the example; one that was cut off by a kill is not among them."""
    for found in re.finditer(r"^\{$.*?^\}$", printed, re.DOTALL | re.MULTILINE):
        yield json.loads(found[0])


@pytest.mark.slow
def test_a_trace_is_one_trace_also_over_a_kill(large_tree: Path, out: Path) -> None:
    command = line(large_tree, out, "--yes", "--trace")
    before = killed(command, '"name": "execute_tool check_licence"')

    ended = run(command)

    assert ended.returncode == 0
    first, rest = list(spans(before)), list(spans(ended.stdout))
    contexts = [span["context"] for span in first + rest]
    assert first
    assert len({str(context["trace_id"]) for context in contexts if isinstance(context, dict)}) == 1
    assert [span["name"] for span in rest if span["parent_id"] is None] == ["invoke_agent auditor"]
    record = read_record(out / "audit.db")
    calls = [span["context"] for span in first + rest if str(span["name"]).startswith(("chat ", "execute_tool "))]
    assert len({str(one["span_id"]) for one in calls if isinstance(one, dict)}) == len(record.finished)


@pytest.mark.slow
def test_a_run_is_not_gone_on_with_on_another_tree(large_tree: Path, out: Path, tmp_path: Path) -> None:
    """An audit of one tree is killed, another tree is audited with the same --out, then the first goes on."""
    other = tmp_path / "other"
    build(other)
    killed(line(large_tree, out, "--yes"), "step 9.")
    (before,) = read_record(out / "audit.db").summaries

    second = run(line(other, out, "--yes"))

    assert second.returncode == 0
    assert f"run {before.run} is unfinished and stays so: go on with it by --path {large_tree}\n" in second.stdout
    first_run, second_run = read_record(out / "audit.db").summaries
    assert (first_run, second_run.status.value) == (before, "completed")
    third = run(line(large_tree, out, "--yes"))
    assert third.returncode == 0
    assert f"Audited {MANY + 6} distributions" in third.stdout
    assert len(filed(out)) == 2
