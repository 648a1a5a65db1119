"""The command line as processes: beside a live one, after a killed one, and cut short itself."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import anyio
import pytest

from choragus.agents import visit
from choragus.agents.approval import approval_id
from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.cli.flight import Flight
from choragus.agents.errors import Failed, Waiting
from choragus.agents.runtime import Runtime

from .cli_clerk import HANG, RUN, clerk, complete, leave_waiting

ROOT = Path(__file__).resolve().parents[2]
CHORAGUS = [sys.executable, "-m", "choragus"]


@contextmanager
def process(*argv: str, hang: Path | None = None) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with its output in pipes; killed at the end if it still lives."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} | ({} if hang is None else {HANG: str(hang)})
    with subprocess.Popen(
        argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def line(running: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert running.stdout is not None
    return running.stdout.readline()


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file whose owner was killed in the middle of the payment, and that was opened once since."""
    folder = tmp_path_factory.mktemp("killed")
    path, begun = folder / "runs.db", folder / "begun"
    with process(sys.executable, "-m", "tests.agents.cli_clerk", str(path), "--approve", hang=begun) as owner:
        while not begun.exists():
            assert owner.poll() is None, owner.communicate()
            time.sleep(0.01)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
    for end in ("", "-wal"):
        shutil.copy(f"{path}{end}", folder / f"cut.db{end}")

    async def reopen() -> None:
        async with Runtime(path, agents=[clerk()]) as runtime:
            run = await runtime.run(RUN)
            async for event in run.events():
                if event.kind == "call.unknown":
                    break

    anyio.run(reopen)
    return path


@pytest.fixture
def unknown(killed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A copy of that file, whose payment is of unknown outcome; visitors wait for nobody."""
    monkeypatch.setattr(visit, "PATIENCE", 0.05)
    return str(shutil.copy(killed, tmp_path / "runs.db"))


async def _result(file: str) -> str:
    async with Runtime(file, agents=[clerk()]) as runtime:
        return str(await (await runtime.run(RUN)).result(5.0))


# before anybody has opened the file again


def test_show_tells_what_was_under_way_when_the_process_was_killed(
    killed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = str(killed.with_name("cut.db"))

    assert main(["show", cut, RUN]) == Exit.OK

    text = capsys.readouterr().out
    assert "2.1    cut off    pay was under way when its process ended: nobody knows whether it\n" in text
    assert text.endswith("nobody owns the file: the run goes on when it is next opened\n")


@pytest.mark.parametrize(
    ("change", "told"),
    [("body = X'7B'", True), ("body = X'5B315D'", True), ("state = 'held'", False)],
    ids=["damaged", "odd", "known not to have begun"],
)
def test_a_call_is_told_though_damaged_and_not_when_it_never_began(
    change: str, told: bool, killed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for end in ("", "-wal"):
        shutil.copy(killed.with_name(f"cut.db{end}"), tmp_path / f"cut.db{end}")
    with closing(sqlite3.connect(tmp_path / "cut.db")) as connection:
        connection.execute(f"UPDATE effect SET {change}")
        connection.commit()

    assert main(["show", str(tmp_path / "cut.db"), RUN]) == Exit.OK

    assert ("was under way when its process ended" in capsys.readouterr().out) == told


def test_a_call_that_goes_on_is_under_way() -> None:
    flight = Flight(RUN, "2.1", "pay", 10.0, False)

    assert flight.row(12.5, True)[1:4] == ("2.1", "under way", "pay, for 2.5 s")
    assert "made again" in flight._replace(is_repeatable=True).row(12.5, False).gist


def test_the_doctor_knows_no_outcome_of_what_was_cut_off(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = str(killed.with_name("cut.db"))

    assert main(["doctor", cut, "--json"]) == Exit.PROBLEMS

    (found,) = (one for one in map(json.loads, capsys.readouterr().out.splitlines()) if one["about"] == "outcomes")
    assert found["told"] == f"1 call cut off that cannot be repeated: {RUN} 2.1 pay"
    assert found["remedy"] == f"start the service again, then: choragus approvals {cut}"


# settle


def test_a_call_of_unknown_outcome_waits_for_a_person(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["approvals", unknown]) == Exit.OK

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("outcome unknown  pay: did it happen? ")
    assert f"  its idempotency key: {RUN}/2.1" in lines
    assert lines[-3:] == [f"  choragus settle {unknown} {RUN} 2.1 --{way}" for way in ("happened", "not", "give-up")]


def test_settled_as_happened_the_model_gets_the_result(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["settle", unknown, RUN, "2.1", "--happened", "--result", '"receipt 17"', "--by", "mia"])

    assert code == Exit.OK
    assert anyio.run(_result, unknown).startswith("All is paid.")
    main(["show", unknown, RUN])
    text = capsys.readouterr().out
    assert "reopened   by a new process; the one before ended uncleanly" in text
    assert "settled    it happened, says mia\n" in text
    assert '2.1    result     "receipt 17"\n' in text


def test_settled_as_not_happened_the_call_runs(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["settle", unknown, RUN, "2.1", "--not", "--by", "mia"]) == Exit.OK

    assert anyio.run(_result, unknown).startswith("All is paid.")
    main(["show", unknown, RUN])
    text = capsys.readouterr().out
    assert "settled    it did not happen, says mia\n" in text
    assert '2.1    result     "paid 120.00"' in text


def test_given_up_the_run_fails(unknown: str) -> None:
    assert main(["settle", unknown, RUN, "2.1", "--give-up", "--by", "mia"]) == Exit.OK

    with pytest.raises(Failed, match=r"mia gave up on call 2\.1"):
        anyio.run(_result, unknown)


def test_a_second_settlement_is_refused_while_the_first_waits(unknown: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["settle", unknown, RUN, "2.1", "--not", "--by", "mia"])

    assert main(["settle", unknown, RUN, "2.1", "--happened", "--by", "nora"]) == Exit.USAGE
    assert f"call 2.1 of run {RUN} is already settled by mia" in capsys.readouterr().err


def test_an_approval_never_settles(unknown: str) -> None:
    assert main(["approve", unknown, approval_id(RUN, "2.1"), "--by", "mia"]) == Exit.USAGE

    with pytest.raises(Waiting):
        anyio.run(_still, unknown)


async def _still(file: str) -> str:
    async with Runtime(file, agents=[clerk()]) as runtime:
        return str(await (await runtime.run(RUN)).result(0.1))


# beside a live process


def test_a_decision_reaches_a_live_run_in_another_process(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(tmp_path / "runs.db")
    with process(sys.executable, "-m", "tests.agents.cli_clerk", path) as owner:
        assert line(owner) == "waits\n"
        main(["approvals", path])
        id = capsys.readouterr().out[:8]

        began = time.monotonic()
        code = main(["approve", path, id, "--by", "mia"])
        took = time.monotonic() - began

        assert code == Exit.OK
        assert capsys.readouterr().out.endswith("approved by mia: the run goes on\n")
        assert line(owner) == "All is paid.\n"
    print(f"decided, and seen to be taken up, after {took * 1000:.0f} ms")
    assert took < 1.0


def test_python_m_choragus_is_the_command_line(tmp_path: Path) -> None:
    path = tmp_path / "missing.db"

    done = subprocess.run([*CHORAGUS, "runs", str(path)], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (Exit.FILE, "")
    assert done.stderr == f"choragus: {path} does not exist: name a file that a choragus system has opened\n"
    assert not path.exists()


# cut short


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    anyio.run(complete, path)
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*CHORAGUS, "show", str(path), RUN], cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, check=False
    )

    os.close(writer)
    assert (done.returncode, done.stderr) == (Exit.BROKEN_PIPE, b"")


def test_ctrl_c_is_quiet(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    anyio.run(leave_waiting, path)
    with process(*CHORAGUS, "show", str(path), RUN, "--follow") as follower:
        while "waits" not in line(follower):
            pass
        follower.send_signal(signal.SIGINT)

        assert follower.communicate(timeout=20.0) == ("", "")
        assert follower.returncode == Exit.INTERRUPTED


def test_output_that_the_terminal_cannot_spell_is_escaped(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"

    done = subprocess.run(
        [*CHORAGUS, "runs", f"{path}é"],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=False,
    )

    assert done.stderr.startswith(rf"choragus: {path}\xe9 does not exist".encode())
