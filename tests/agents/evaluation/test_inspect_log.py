"""The log for `inspect view`: its shape, and, where Inspect is installed, that it reads and shows it."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
import urllib.request
from importlib import import_module
from pathlib import Path

import pytest
from tests.agents.play import call, calls

from choragus.agents.agent import Agent
from choragus.agents.evaluation import Case, Dataset, Exact, Report, evaluate, write_inspect
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.agents.tool import tool
from choragus.mailbox.memory import MemoryStore


@tool(risk="read")
async def look(at: str) -> str:
    """Look."""
    return f"seen {at}"


def broken(run: object) -> bool:
    """A scorer that fails."""
    raise LookupError("gone")


async def logged(folder: Path) -> tuple[Path, Report]:
    """A log of four trials: two pass, one fails, one has no answer."""
    model = ScriptedModel([calls(call("look", at="here")), "I have seen it."])
    agent = Agent("clerk", model=model, tools=[look])
    cases = (
        Case(name="right", inputs="Look.", expected_output="I have seen it.", metadata={"level": 1}),
        Case(name="wrong", inputs={"at": 1}, targets=("yes", "no")),
        Case(name="open", inputs="Look.", scorers=()),
    )
    dataset = Dataset(name="cases.jsonl", cases=cases)
    store = MemoryStore()
    report = await evaluate(Runtime(store=store, agents=[agent]), dataset, scorers=[Exact()], repeats=2, at_once=1)
    return await write_inspect(report, dataset, folder, store), report


async def test_the_log_is_in_version_2_of_the_format(tmp_path: Path) -> None:
    path, report = await logged(tmp_path / "logs")

    log = json.loads(path.read_bytes())
    first = log["samples"][0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\+00-00_cases-jsonl_[0-9a-f]+\.json", path.name)
    assert (log["version"], log["status"], log["eval"]["model"]) == (2, "success", "scripted/scripted")
    assert [one["role"] for one in first["messages"]] == ["user", "assistant", "tool", "assistant"]
    assert first["messages"][1]["tool_calls"][0]["function"] == "look"
    assert (first["id"], first["epoch"], first["target"]) == ("right", 1, "I have seen it.")
    assert first["scores"]["exact"]["value"] == 1.0
    assert log["results"]["scores"][0]["metrics"]["pass^2"]["value"] == report.pass_all(2).value


async def test_inspect_reads_the_log(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    read_eval_log = import_module("inspect_ai.log").read_eval_log  # it takes seconds to import

    path, report = await logged(tmp_path / "logs")

    log = read_eval_log(str(path))

    assert log.samples is not None
    assert log.results is not None
    assert [(one.id, one.epoch) for one in log.samples] == [(one.case, one.repeat) for one in report.trials]
    assert log.results.scores[0].metrics["mean"].value == pytest.approx(4 / 6)
    assert log.samples[0].messages[2].text == "seen here" or '"seen here"' in log.samples[0].messages[2].text


@pytest.mark.slow
async def test_inspect_view_shows_the_log(tmp_path: Path) -> None:
    pytest.importorskip("inspect_ai")
    path, _ = await logged(tmp_path / "logs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "inspect_ai", "view", "start", "--log-dir", str(path.parent)]
    with subprocess.Popen(  # noqa: ASYNC220  # nothing else runs meanwhile
        [*command, "--host", "127.0.0.1", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as viewer:
        try:
            listed = _soon(f"http://127.0.0.1:{port}/api/logs", 40)
            shown = _soon(f"http://127.0.0.1:{port}/api/logs/{urllib.request.pathname2url(str(path))}", 10)
        finally:
            viewer.terminate()

    assert path.name in listed
    assert json.loads(shown)["samples"][0]["id"] == "right"


def _soon(address: str, seconds: float) -> str:
    end = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                return str(answer.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
