"""`choragus eval` as a command: its report, its exit codes, and what an interruption leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from choragus.agents.cli import main
from choragus.mailbox.reader import Reader

from .evaluated import NOTES, PAUSE

ROOT = Path(__file__).resolve().parents[3]
APP = "tests.agents.evaluation.evaluated"


@pytest.fixture
def cases(tmp_path: Path) -> str:
    """A file of three cases, of which the agent fails one."""
    lines = [{"name": one, "inputs": one, "expected_output": one.upper()} for one in ("one", "two", "odd")]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return str(tmp_path / "cases.jsonl")


def typed(tmp_path: Path, cases: str, *more: str) -> list[str]:
    """The command line."""
    file = str(tmp_path / "eval.db")
    return ["eval", file, "--app", f"{APP}:runtime", "--cases", cases, "--repeats", "3", *more]


def test_it_prints_a_report_of_80_columns(
    tmp_path: Path, cases: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)

    code = main(typed(tmp_path, cases, "--scorers", f"{APP}:scorers"))

    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("pass rate") and "66.7%" in line and "(6 of 9)" in line for line in lines)
    assert any(line.startswith("odd") and "0/3" in line and "capitals: '?'" in line for line in lines)


def test_a_regression_is_exit_code_1_and_is_told(
    tmp_path: Path, cases: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    base = str(tmp_path / "base.json")
    assert main(typed(tmp_path, cases, "--save-baseline", base)) == 0
    assert main(typed(tmp_path, cases, "--baseline", base)) == 0
    known = json.loads(Path(base).read_text(encoding="utf-8"))
    known["cases"]["odd"]["passed"] = 3
    Path(base).write_text(json.dumps(known), encoding="utf-8")
    capsys.readouterr()

    code = main(typed(tmp_path, cases, "--baseline", base, "--json"))

    report = json.loads(capsys.readouterr().out)
    assert code == 1
    assert (report["passed"], report["regressions"]) == (False, ["case odd: 0 of 3 passed, 3 of 3 before (p = 0.050)"])


@pytest.mark.parametrize(("share", "code"), [("0.6", 0), ("0.7", 1)])
def test_a_share_that_is_demanded(
    tmp_path: Path, cases: str, share: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)

    assert main(typed(tmp_path, cases, "--at-least", share, "--repeats", "1")) == code


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["--app", "nowhere:runtime"], "there is no module 'nowhere'"),
        (["--app", f"{APP}:nothing"], "has no 'nothing'"),
        (["--app", APP], "names nothing: write MODULE:NAME"),
        (["--app", f"{APP}:NOTES"], "name a Runtime, an Agent"),
        (["--app", f"{APP}:runtime", "--scorers", f"{APP}:NOTES"], "name a list of scorers"),
        (["--app", f"{APP}:runtime", "--agent", "other"], "agent='other' is none"),
        (["--app", f"{APP}:runtime", "--baseline", "none.json"], "there is no baseline none.json"),
        (["--app", f"{APP}:runtime", "--tolerance", "2"], "tolerance and case_level are from 0 to below 1"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(
    tmp_path: Path,
    cases: str,
    argv: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)

    code = main(["eval", str(tmp_path / "eval.db"), "--cases", cases, *argv])

    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert told in error


def begun(argv: list[str], notes: Path, pause: float) -> subprocess.Popen[str]:
    """The command in a process of its own."""
    environment = {**os.environ, NOTES: str(notes), PAUSE: str(pause)}
    return subprocess.Popen(
        [sys.executable, "-m", "choragus", *argv],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill", "ctrl-c"])
def test_a_process_that_ends_in_the_middle_is_gone_on_with_by_the_same_command(
    tmp_path: Path, cases: str, how: signal.Signals
) -> None:
    notes = tmp_path / "notes"
    argv = typed(tmp_path, cases, "--at-once", "2", "--json")

    with begun(argv, notes, 0.3) as first:
        while not notes.exists() or notes.read_text(encoding="utf-8").count("\n") < 4:
            assert first.poll() is None, first.communicate()
            time.sleep(0.01)
        first.send_signal(how)
        _, told = first.communicate(timeout=30)
    with Reader(tmp_path / "eval.db") as reader:
        ended = [one.data for one in reader.log() if one.kind == "trial.ended"]
    with begun(argv, notes, 0) as second:
        out, _ = second.communicate(timeout=60)

    report = json.loads(out)
    asked = Counter(notes.read_text(encoding="utf-8").split())
    assert 0 < len(ended) < 9
    assert {one["run"] for one in ended} <= {one["run"] for one in report["trials"]}
    assert len({one["run"] for one in report["trials"]}) == 9
    assert sum(asked.values()) <= 9 + 2
    if how is signal.SIGINT:
        assert first.returncode == 130
        assert "of 9 trials have ended" in told
        assert told.endswith("have ended: the same command goes on\n")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        pytest.param(("--cases", "none.jsonl"), "--cases none.jsonl cannot be read: No such file", id="cases"),
        pytest.param(
            ("--save-baseline", "none/base.json"), "--save-baseline none/base.json cannot be written", id="baseline"
        ),
        pytest.param(("--inspect", __file__), f"--inspect {__file__} cannot be written: File exists", id="inspect"),
        pytest.param(("--app", f"{APP}:fails"), f"--app {APP}:fails raised LookupError: no key", id="app"),
    ],
)
def test_what_is_missing_is_no_regression_and_is_told_before_anything_runs(
    tmp_path: Path,
    cases: str,
    more: tuple[str, str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(ROOT)

    code = main([*typed(tmp_path, cases), *more])

    assert code == 2
    assert told in capsys.readouterr().err
    assert not (tmp_path / "eval.db").exists()


def test_what_has_not_passed_replaces_no_baseline(
    tmp_path: Path, cases: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    base = tmp_path / "base.json"
    base.write_text("as before", encoding="utf-8")

    code = main(typed(tmp_path, cases, "--at-least", "0.9", "--save-baseline", str(base)))

    assert (code, base.read_text(encoding="utf-8")) == (1, "as before")
    assert "is no baseline, for it has not passed" in capsys.readouterr().err
