"""The commands that watch, beside a live process, on a terminal and cut short; and those that own a file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
from tests.scenarios.pseudo_terminal import PseudoTerminal

from choragus.agents.agent import Agent
from choragus.agents.cli import main
from choragus.agents.cli.exit import Exit
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel

from .cli_clerk import RUN, clerk, complete, leave_waiting, start

ROOT = Path(__file__).resolve().parents[2]
CHORAGUS = [sys.executable, "-m", "choragus"]
APP = "tests.agents.cli_app:make"
SEEN = 10.0
"""Seconds that a process has to end."""

Printed = pytest.CaptureFixture[str]


@contextmanager
def process(*argv: str, file: str = "", **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A process of ours with its output in pipes; killed at the end if it still lives."""
    surroundings = {**os.environ, "PYTHONUNBUFFERED": "1", "CHORAGUS_TEST_FILE": file, **environment}
    with subprocess.Popen(
        argv, cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def line(running: subprocess.Popen[str]) -> str:
    """The next line that a process prints."""
    assert running.stdout is not None
    return running.stdout.readline()


def lines_until(running: subprocess.Popen[str], text: str) -> list[str]:
    """Lines up to the one that has the text."""
    found: list[str] = []
    while not found or text not in found[-1]:
        found.append(line(running))
        assert found[-1], (text, found, running.communicate())
    return found


def end(running: subprocess.Popen[str], number: int = signal.SIGINT) -> tuple[int, str, str]:
    """Send a signal: the exit code, and what is printed behind what was read."""
    running.send_signal(number)
    out, err = running.communicate(timeout=SEEN)
    return running.returncode, out, err


@pytest.fixture(scope="module")
def waits(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with a run that waits for approval."""
    path = tmp_path_factory.mktemp("waits") / "runs.db"
    anyio.run(leave_waiting, path)
    return str(path)


# tail


async def test_tail_prints_what_a_live_process_commits_until_the_run_ends(file: str) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        run = await start(runtime, agent)
        with process(*CHORAGUS, "tail", file, RUN[:5], "--last", "5") as tail:
            first = await anyio.to_thread.run_sync(lines_until, tail, "waits")
            (approval,) = await run.pending()
            await run.approve(approval, by="mia", reason="as agreed")
            await run.result()
            out, _ = await anyio.to_thread.run_sync(tail.communicate)
    assert tail.returncode == Exit.OK
    assert re.match(r"\d\d:\d\d:\d\d  2\.1    waits      pay \{", first[-1])
    assert [row.split()[2] for row in out.splitlines() if " 2.1 " in row] == ["approved", "result"]
    assert out.splitlines()[-1].split()[1] == "completed"


def test_tail_of_all_runs_names_each_and_ctrl_c_ends_it(waits: str) -> None:
    with process(*CHORAGUS, "tail", waits, "--last", "30") as tail:
        seen = lines_until(tail, "waits")
        code, out, err = end(tail)

    assert f"  {RUN}  2.1    waits" in seen[-1]
    assert (code, out, err) == (Exit.INTERRUPTED, "", "")


def test_tail_once_prints_entries_as_json(waits: str, capsys: Printed) -> None:
    assert main(["tail", waits, RUN, "--once", "--json", "--last", "3"]) == Exit.OK

    entries = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    assert len(entries) == 3
    assert all(set(one) == {"seq", "stream", "position", "kind", "at", "data"} for one in entries)


# tree


async def test_a_tree_has_sub_runs_forks_and_what_they_cost_together(file: str, capsys: Printed) -> None:
    one = Agent("one", model=ScriptedModel(["Done."] * 3))
    agent = clerk()
    async with Runtime(file, agents=[one, agent]) as runtime:
        above = await start(runtime, agent)
        below = await runtime.start(one, "Below.", parent=above, key="below")
        await below.result()
        alone = await runtime.start(one, "Alone.", key="alone")
        await alone.result()
        fork = await runtime.fork(alone.id, key="again")
        await fork.result()
    main(["tree", file, above.id])
    main(["tree", file, alone.id, "--json"])

    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith(f"{RUN}  clerk  ")
    assert printed[1].startswith(f"`- sub-run {below.id}  one  completed  1 step")
    assert printed[3].startswith("2 runs: 3 steps, ")
    root, child = (json.loads(row) for row in printed[4:6])
    assert (root["how"], child["how"], child["under"], child["run"]) == ("root", "fork", alone.id, fork.id)


# top


async def test_top_tells_who_owns_the_file_and_what_is_under_way(file: str, capsys: Printed) -> None:
    agent = clerk()
    async with Runtime(file, agents=[agent]) as runtime:
        await start(runtime, agent)

        await anyio.to_thread.run_sync(main, ["top", file])

    head, sums, _, header, row, wait = capsys.readouterr().out.splitlines()
    assert head.startswith(f"owner: process {os.getpid()}, lease for ")
    assert re.match(r"1 run under way, \$0\.\d{4} so far, 1 waiting", sums)
    assert header.split() == ["RUN", "AGENT", "STATUS", "STEP", "TOKENS", "COST", "SINCE"]
    assert row.split()[:5] == [RUN, "clerk", "waiting", "2", "act"]
    assert wait == "  | 2.1 pay: approval"


def test_top_of_ended_runs_is_empty(tmp_path: Path, capsys: Printed) -> None:
    path = tmp_path / "runs.db"
    anyio.run(complete, path)

    assert main(["top", str(path)]) == Exit.OK

    assert capsys.readouterr().out.splitlines()[1] == "0 runs under way, $0.0000 so far"


def test_top_on_a_terminal_goes_on_and_leaves_it_as_it_was(waits: str) -> None:
    pytest.importorskip("rich")
    with PseudoTerminal([*CHORAGUS, "top", waits]) as terminal:
        terminal.read_until("1 run under way")
        terminal.read_until(RUN)

        terminal.process.send_signal(signal.SIGINT)

        assert terminal.ends() == Exit.INTERRUPTED
    assert "\x1b[?1049l" in terminal.shown  # the screen that was there before
    assert "\x1b[?25h" in terminal.shown  # and its cursor
    assert "Traceback" not in terminal.shown


def test_without_the_extra_top_is_printed_once_with_a_hint(waits: str) -> None:
    hide = "import sys; sys.modules['rich'] = None; from importlib import util; util.find_spec = lambda name: None; "
    script = f"{hide}from choragus.agents.cli import main; raise SystemExit(main(['top', {waits!r}]))"
    with PseudoTerminal([sys.executable, "-c", script]) as terminal:
        assert terminal.ends() == Exit.OK

    assert "pip install 'choragus[cli]'" in terminal.shown
    assert "\x1b[" not in terminal.shown


# colours


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [({}, False), ({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
    ids=["pipe", "forced", "both"],
)
def test_colours_follow_the_environment(
    environment: dict[str, str], is_coloured: bool, waits: str, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    main(["runs", waits])

    assert ("\x1b[33mwaiting" in capsys.readouterr().out) == is_coloured


def test_without_unicode_everything_is_still_printed(waits: str) -> None:
    with process(*CHORAGUS, "show", waits, RUN, PYTHONIOENCODING="ascii", LC_ALL="C") as show:
        out, err = show.communicate(timeout=SEEN)

    assert (show.returncode, err) == (Exit.OK, "")
    assert "waiting at step 2" in out


# run and serve


def test_serve_owns_the_file_until_it_is_told_to_end(
    tmp_path: Path, capsys: Printed, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "app.db")
    monkeypatch.setenv("CHORAGUS_TEST_FILE", file)
    with process(*CHORAGUS, "serve", "--app", APP, file=file) as serve:
        lines_until(serve, "ends it in order")
        ran = main(["run", "--app", APP, "quick", "Go."])
        told = lines_until(serve, "completed")
        code, rest, complaint = end(serve, signal.SIGTERM)

    out, err = capsys.readouterr()
    assert (ran, out) == (Exit.OK, "It is done.\nAll of it.\n")
    assert "it is left the message" in err
    assert "started    quick: Go." in told[0]
    assert (code, complaint) == (Exit.OK, "")
    assert "SIGTERM: calls under way come to their end" in rest
    assert "is left in order" in rest


@pytest.mark.slow
def test_drained_it_takes_nothing_new_and_ends_when_nothing_runs(tmp_path: Path) -> None:
    file = str(tmp_path / "app.db")
    with process(*CHORAGUS, "serve", "--app", APP, "--json", file=file) as serve:
        lines_until(serve, "serving")

        drained = subprocess.run(
            [*CHORAGUS, "drain", file, "--by", "mia", "--wait", "10", "--json"],
            cwd=ROOT,
            capture_output=True,
            check=False,
        )

        out, _ = serve.communicate(timeout=SEEN)
    again = main(["drain", file, "--by", "mia"])
    told = json.loads(drained.stdout.splitlines()[0])
    assert (drained.returncode, told["fate"], again) == (Exit.OK, "handled", Exit.USAGE)
    assert told["told"] == f"process {serve.pid} begins nothing new, says mia: 0 runs running now"
    assert [json.loads(one)["event"] for one in out.splitlines() if "event" in one][-2:] == ["ending", "ended"]
    assert serve.returncode == Exit.OK


@pytest.mark.parametrize("key", [pytest.param("", marks=pytest.mark.slow), "1"])
def test_ctrl_c_ends_the_process_and_not_the_run(key: str, tmp_path: Path) -> None:
    file = str(tmp_path / "app.db")
    more = ["--key", key] if key else []
    with process(*CHORAGUS, "run", "--app", APP, "clerk", "Pay.", *more, file=file) as run:
        assert run.stderr is not None
        while "it waits for a person: choragus approvals" not in run.stderr.readline():
            pass
        code, out, err = end(run)

    assert (code, out) == (Exit.INTERRUPTED, "")
    assert f"goes on when {file} is next opened: `choragus serve --app {APP}`" in err
    assert ("by the same command again" in err) == bool(key)


@pytest.mark.slow
def test_a_service_goes_on_when_nobody_reads_what_it_says(tmp_path: Path) -> None:
    file = str(tmp_path / "app.db")
    with process(*CHORAGUS, "serve", "--app", APP, file=file) as serve:
        lines_until(serve, "ends it in order")
        assert serve.stdout is not None
        serve.stdout.close()
        with process(*CHORAGUS, "run", "--app", APP, "quick", "Go.", file=file) as run:
            run.communicate(timeout=SEEN)

        assert serve.poll() is None
        serve.send_signal(signal.SIGTERM)
        assert serve.wait(SEEN) == Exit.OK
    assert run.returncode == Exit.OK


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_disk_that_is_full_is_said_in_a_line(waits: str) -> None:
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run([*CHORAGUS, "runs", waits], stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == Exit.PROBLEMS
    assert ended.stderr == "choragus: what was to be printed cannot be written: No space left on device\n"
