"""The examples for plain actors, as their user runs them: what they print, and that they leave nothing behind."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.ran import ran

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PLAIN = ("supervised_pipeline", "sessions", "durable_counter")


APART = ("durable_counter", "operated_service", "supervised_pipeline")
"""Those that register classes for storage, own a process, or warn: they get an interpreter of their own."""


def printed(name: str, folder: Path, *, warned: str = "") -> list[str]:
    """The lines that the example prints, run in that folder."""
    if name not in APART:
        return ran(EXAMPLES / f"{name}.py", folder).splitlines()
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert (ended.returncode, ended.stderr.rstrip()) == (0, warned)
    return ended.stdout.splitlines()


def test_a_worker_crashes_and_only_its_line_is_lost(tmp_path: Path) -> None:
    warned = "pipeline/parsers/parser-1 failed on Parse: ValueError: could not convert string to float: 'cold'"

    lines = printed("supervised_pipeline", tmp_path, warned=warned)

    assert lines[0] == "-- pipeline/parsers/parser-1 failed: could not convert string to float: 'cold'"
    assert lines[1] == "-- pipeline/parsers/parser-1 runs again"
    assert re.search(r"parser-1 +Parser +running .*1 restart", "\n".join(lines))
    assert lines[-2:] == ["16 lines read, 1 of them lost", "{'Bergen': 7.5, 'Narvik': -2.0, 'Oslo': 11.0}"]


def test_a_session_is_put_away_and_begins_anew(tmp_path: Path) -> None:
    lines = printed("sessions", tmp_path)

    assert lines.index("in memory: ann ben") < lines.index("in memory: nobody")
    assert "ben has said 2: hi, bye" in lines
    assert "   (is ann still there?)" in lines
    assert lines.count("   (a session for ann begins)") == 2
    assert lines.index("   (the session of ann is put away: hello anybody?)") < lines.index("in memory: nobody")
    assert lines[-3:-1] == ["ann has said 1: hello", "the end of the system puts away who is left"]


def test_a_killed_counter_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    lines = printed("durable_counter", tmp_path)

    told = [[int(number) for number in re.findall(r"\d+(?=,|$| to)", line)] for line in lines]
    assert len(told) == 3
    assert all(first == 1 and last <= on_disk <= last + 1 for first, last, on_disk in told)
    assert lines[-1] == "the child was told 1 to 50, and ended; on disk: 50"


@pytest.mark.parametrize("name", [*PLAIN, "provider_loopback"])
def test_an_example_fits_two_screens_and_stands_in_the_readme(name: str) -> None:
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")

    assert text.count("\n") <= 120
    assert f"{name}.py" in (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_provider_that_fails_is_told_apart_and_the_run_goes_on(tmp_path: Path) -> None:
    pytest.importorskip("openai")

    lines = printed("provider_loopback", tmp_path)

    assert lines == [
        "the model failed: 127.0.0.1 (tiny) answered with status 529 (overloaded_error): Too many umbrellas.",
        "the model failed: the provider's answer ended before its end; call it again",
        "weather('Bergen')",
        "Take an umbrella.",
        "180 tokens in, 20 out, 0.0000562 dollars",
    ]


def test_a_ceiling_that_asks_is_raised_and_holds(tmp_path: Path) -> None:
    lines = printed("asking_ceiling", tmp_path)

    assert "question:  raise_limit to {'cost_usd': 0.06}?" in lines
    assert lines[-2:] == ["result:    They were in the shed.", "spent:     0.05 of 0.06 dollars"]


def test_ctrl_c_ends_an_example_with_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-u", str(EXAMPLES / "sessions.py")]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()

        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)

    assert (process.returncode, told) == (1, "stopped by Ctrl-C\n")


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_every_example_is_ready_for_ctrl_c(path: Path) -> None:
    assert "except KeyboardInterrupt:" in path.read_text(encoding="utf-8")


def test_an_edited_logbook_is_found_and_one_cut_off_shows_by_its_heads(tmp_path: Path) -> None:
    command = [sys.executable, str(EXAMPLES / "verified_logbook.py")]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50, check=True)

    edited, cut_off = ended.stdout.split("Somebody cuts off the end of a copy:")
    assert re.search(r"entry \d+ of stream 'run/\w+' \(call.finished\) does not match its hash: it was changed", edited)
    assert "of the exported heads is missing: the end was removed" in cut_off
    assert "exit code 0" not in ended.stdout


def test_a_traced_run_is_one_trace_over_a_restart(tmp_path: Path) -> None:
    lines = printed("traced_run", tmp_path)

    assert lines[0] == "8 spans in 1 trace"
    assert lines[1] == "invoke_agent clerk waiting"
    assert "  invoke_agent clerk completed  (goes on from 1 span)" in lines


@pytest.mark.slow
def test_a_service_is_operated_from_beside_it(tmp_path: Path) -> None:
    lines = printed("operated_service", tmp_path)

    assert "approved by mia (as agreed): the run goes on" in lines
    assert any(line.endswith("may use more, says mia: steps 80") for line in lines)
    assert "  | A-17 is paid." in lines
    assert "runs.db: nothing needs a person" in lines
    assert lines[-1] == "the service has ended with 0"
