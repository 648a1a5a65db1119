"""Runs as cases: what they hold, which are chosen, what is taken out of them, and files that grow by one."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import threading
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest

from choragus.agents.agent import Agent
from choragus.agents.cli.exit import Exit
from choragus.agents.errors import Cancelled, Failed, ModelError
from choragus.agents.figures import Choice, Redaction, append, case, cases, regression, write
from choragus.agents.inspection import ApprovalRequested
from choragus.agents.model import ModelReply
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel
from choragus.mailbox.reader import Reader

from .cli_clerk import command
from .many_runs import fill
from .play import Ledger, call, calls, scripted, tools

Printed = pytest.CaptureFixture[str]

SECRET = "Mail ada@example.org, the key is sk-proj-abcdefghijklmnop1234567890."


async def leave(file: str) -> dict[str, str]:
    """One run that completed, one that failed, one corrected, one with an edited call, one cancelled; their ids."""
    plain, broken = scripted("four", name="plain"), scripted(ModelError("no", retryable=False), name="broken")
    pays = scripted(calls(call("look", at="x"), call("pay", amount=3)), "paid", tools=tools(Ledger()), name="pays")
    async with Runtime(file, agents=[plain, broken, pays]) as runtime:
        runs = {
            "completed": await runtime.start(plain, "Add.", tenant="acme"),
            "failed": await runtime.start(broken, "Add."),
            "corrected": await runtime.start(plain, "Add 2 and 3."),
            "edited": await runtime.start(pays, SECRET),
            "cancelled": await runtime.start(pays, "Pay."),
        }
        await runs["completed"].result(5)
        with pytest.raises(Failed):
            await runs["failed"].result(5)
        await runs["corrected"].result(5)
        await runs["corrected"].correct("five", by="mia", reason="sum")
        async for event in runs["edited"].events():
            if isinstance(event, ApprovalRequested):
                await event.approval.approve(by="mia", arguments={"amount": 4})
        async for event in runs["cancelled"].events():
            if isinstance(event, ApprovalRequested):
                await runs["cancelled"].cancel(by="mia")
        with pytest.raises(Cancelled):
            await runs["cancelled"].result(5)
    return {name: run.id for name, run in runs.items()}


class Left(NamedTuple):
    """A file, and the runs in it."""

    file: str
    runs: dict[str, str]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Left:
    """That file, for all who only read it."""
    file = str(tmp_path_factory.mktemp("left") / "runs.db")
    return Left(file, anyio.run(leave, file))


def of(file: str, run: str, *, arguments: bool = False) -> dict[str, object]:
    """One run as a case."""
    with Reader(file) as reader:
        view = reader.view("run", run)
        assert view is not None
        return case(reader, view, arguments=arguments)


async def test_a_completed_run_is_a_case_that_nobody_has_reviewed(left: Left) -> None:
    run = left.runs["completed"]

    found = of(left.file, run)

    assert list(found) == ["name", "inputs", "expected_output", "metadata", "labels", "trajectory", "source"]
    assert (found["name"], found["inputs"], found["expected_output"]) == (f"plain-{run}", "Add.", "four")
    assert (found["labels"], found["trajectory"]) == (["completed", "unreviewed"], [])
    metadata, source = found["metadata"], found["source"]
    assert isinstance(metadata, dict)
    assert isinstance(source, dict)
    assert (metadata["agent"], metadata["tenant"], metadata["steps"]) == ("plain", "acme", 1)
    assert (source["file"], source["run"], len(source["manifest"])) == ("runs.db", run, 64)


async def test_a_correction_is_the_expected_answer(left: Left) -> None:
    found = of(left.file, left.runs["corrected"])

    assert (found["expected_output"], found["labels"]) == ("five", ["completed", "corrected"])
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert (metadata["answered"], metadata["correction"]) == ("four", {"by": "mia", "reason": "sum"})


async def test_a_failed_run_expects_nothing_and_says_why_it_failed(left: Left) -> None:
    found = of(left.file, left.runs["failed"])

    assert (found["expected_output"], found["labels"]) == (None, ["failed"])
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert "no" in str(metadata["error"])


async def test_an_answer_that_was_not_what_was_wanted_is_not_expected_of_others(file: str) -> None:
    agent = Agent("clerk", model=ScriptedModel(["five"]), success=lambda run: run.answer == "four")
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Two and two?")
        await run.result()

    found = of(file, run.id)

    assert (found["expected_output"], found["labels"]) == (None, ["unsuccessful"])
    metadata = found["metadata"]
    assert isinstance(metadata, dict)
    assert metadata["answered"] == "five"


async def test_the_trajectory_has_the_calls_that_ran_and_their_arguments_as_they_ran(left: Left) -> None:
    runs = left.runs

    edited, cancelled = of(left.file, runs["edited"], arguments=True), of(left.file, runs["cancelled"])

    assert edited["trajectory"] == ["look", "pay"]
    assert edited["labels"] == ["completed", "escalated", "edited", "unreviewed"]
    metadata = edited["metadata"]
    assert isinstance(metadata, dict)
    assert [one["arguments"] for one in metadata["calls"]] == [{"at": "x"}, {"amount": 4}]
    assert metadata["edits"] == [
        {"call": "1.2", "tool": "pay", "arguments": {"amount": 4}, "was": {"amount": 3}, "by": "mia"}
    ]
    assert (cancelled["trajectory"], cancelled["labels"]) == (["look"], ["cancelled", "escalated"])


async def test_a_conversation_is_all_that_people_said(file: str) -> None:
    agent = Agent(
        "clerk", model=ScriptedModel([ModelReply(calls=(call("pay", amount=1),)), "done"]), tools=tools(Ledger())
    )
    async with Runtime(file, agents=[agent]) as runtime:
        run = await runtime.start(agent, "Pay.")
        async for event in run.events():
            if isinstance(event, ApprovalRequested):
                await run.send("Only one, please.", by="mia")
                await event.approval.approve(by="mia")

    assert of(file, run.id)["inputs"] == ["Pay.", "Only one, please."]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("all", {"completed", "failed", "corrected", "edited", "cancelled"}),
        ("completed", {"completed", "corrected", "edited"}),
        ("failed", {"failed"}),
        ("escalated", {"edited", "cancelled"}),
        ("corrected", {"corrected", "edited"}),
    ],
)
async def test_runs_are_chosen_by_what_became_of_them(left: Left, what: str, expected: set[str]) -> None:
    runs = left.runs

    with Reader(left.file) as reader:
        found = [one["source"]["run"] for one in cases(reader, what)]  # type: ignore[arg-type, index]  # one of them

    assert {name for name, run in runs.items() if run in found} == expected


async def test_cases_come_in_the_same_order_each_time_and_without_runs_that_go_on(tmp_path: Path) -> None:
    await fill(tmp_path / "many.db", 30)

    with Reader(tmp_path / "many.db") as reader:
        first = [json.dumps(one) for one in cases(reader, arguments=True)]
        again = [json.dumps(one) for one in cases(reader, arguments=True)]
        clerks = list(cases(reader, choice=Choice(agent="clerk")))

    assert first == again
    assert (len(first), len(clerks)) == (28, 9)


def test_what_is_no_choice_is_refused(tmp_path: Path) -> None:
    anyio.run(fill, tmp_path / "many.db", 1)

    with Reader(tmp_path / "many.db") as reader, pytest.raises(ValueError, match=r"^what='some' is no choice of runs"):
        next(cases(reader, "some"))  # type: ignore[arg-type]  # a user's mistake


# Redaction.


def test_secrets_and_personal_data_are_taken_out_of_all_foreign_text() -> None:
    told: dict[str, object] = {
        "name": "clerk-5f2c",
        "inputs": [SECRET],
        "expected_output": SECRET,
        "metadata": {
            "agent": "a",
            "calls": [{"arguments": {"password": "hunter2", "to": {"ada@example.org": SECRET}}}],
        },
        "labels": ["failed"],
    }

    cleaned = json.dumps(Redaction().case(told))

    for secret in ("ada@example.org", "sk-proj", "hunter2"):
        assert secret not in cleaned
    assert '"password": "[redacted:password]"' in cleaned
    assert json.loads(cleaned)["name"] == "clerk-5f2c"


def test_only_the_kinds_that_were_asked_for_are_taken_out() -> None:
    found = Redaction(["email"]).case({"inputs": SECRET})

    assert found == {"inputs": SECRET.replace("ada@example.org", "[redacted:email]")}


# Files.


def test_a_file_of_cases_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("before")

    def broken() -> object:
        yield {"name": "a"}
        raise RuntimeError("the disk is gone")

    with pytest.raises(RuntimeError):
        write(path, broken())  # type: ignore[arg-type]  # an iterator

    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["cases.jsonl"]
    assert write(path, [{"name": "a"}, {"name": "ü"}]) == 2
    assert path.read_text(encoding="utf-8") == '{"name":"a"}\n{"name":"ü"}\n'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_case_is_put_behind_the_others_once(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    append(path, {"name": "a"})
    append(path, {"name": "b"})

    with pytest.raises(ValueError, match=r"cases.jsonl has a case named 'a' already: give another name$"):
        append(path, {"name": "a"})

    assert path.read_text() == '{"name":"a"}\n{"name":"b"}\n'


def test_a_last_line_without_an_end_is_ended_first(tmp_path: Path) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"name":"a"}')

    append(path, {"name": "b"})

    assert path.read_text() == '{"name":"a"}\n{"name":"b"}\n'


@pytest.mark.parametrize("line", ['{"name":"b"', "[]", '{"id":1}'])
def test_a_file_that_holds_no_cases_is_left_alone(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text('{"name":"a"}\n' + line)

    with pytest.raises(ValueError, match="line 2 is no case"):
        append(path, {"name": "c"})

    assert path.read_text() == '{"name":"a"}\n' + line


@pytest.mark.parametrize("line", ['{"inputs":"x"}', '{"id":"b","input":"x"}'])
def test_cases_that_others_wrote_are_cases_too(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\ufeff" + line, encoding="utf-8")

    append(path, {"name": "c"})

    with pytest.raises(ValueError, match="has a case named"):
        append(path, {"name": "line 1" if "inputs" in line else "b"})
    assert path.read_text(encoding="utf-8") == f'\ufeff{line}\n{{"name":"c"}}\n'


def test_a_file_that_no_evaluation_would_read_is_not_begun(tmp_path: Path) -> None:
    path = tmp_path / "cases.yaml"

    with pytest.raises(ValueError, match=r"cases.yaml is no file of cases, one to a line: name it cases.jsonl, say$"):
        append(path, {"name": "c"})

    assert not path.exists()


def test_two_at_a_time_do_not_both_find_the_name_free(tmp_path: Path) -> None:
    """The second waits for the lock on the file, and then sees what the first has written."""
    path = tmp_path / "cases.jsonl"
    refused: list[str] = []

    def second() -> None:
        try:
            append(path, {"name": "a"})
        except ValueError as error:
            refused.append(str(error))

    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.05)
        file.write(b'{"name":"a"}\n')
    thread.join(5)

    assert len(refused) == 1
    assert path.read_text() == '{"name":"a"}\n'


def test_a_disk_that_is_full_leaves_no_half_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "cases.jsonl"
    append(path, {"name": "a"})

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        append(path, {"name": "b"})

    assert path.read_text() == '{"name":"a"}\n'


# A run that failed becomes a regression case.


async def test_a_regression_case_expects_what_a_person_says_and_no_trajectory(left: Left) -> None:
    runs = left.runs

    with Reader(left.file) as reader:
        views = {one.key: one for one in reader.views("run")}
        failed, corrected, completed = (views[runs[name]] for name in ("failed", "corrected", "completed"))

        bare, said = regression(reader, failed), regression(reader, failed, name="sum", expected="four")
        mended = regression(reader, corrected)
        with pytest.raises(ValueError, match=r"give the expected answer$"):
            regression(reader, completed)

    assert (bare["expected_output"], bare["trajectory"], bare["labels"]) == (None, None, ["failed"])
    assert (said["name"], said["expected_output"], mended["expected_output"]) == ("sum", "four", "five")


async def test_from_a_failure_to_a_case_that_the_mended_agent_passes(
    file: str, tmp_path: Path, capsys: Printed
) -> None:
    """The whole circle: the old agent fails on the case, the mended one passes."""
    path = tmp_path / "cases.jsonl"
    old, mended = scripted("three"), scripted("four")
    async with Runtime(file, agents=[old]) as runtime:
        run = await runtime.start(old, "What is 2 and 2?")
        await run.result(5)

    code = await command("regress", file, run.id[:6], "--expect", "four", "--cases", str(path))
    again = await command("regress", file, run.id, "--expect", "four", "--cases", str(path))

    (one,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert (code, again) == (Exit.OK, Exit.USAGE)
    assert "has a case named" in capsys.readouterr().err
    passed = []
    for agent in (old, mended):
        async with Runtime(agents=[agent]) as runtime:
            answer = await (await runtime.start(agent, one["inputs"])).result(5)
            passed.append(answer == one["expected_output"])
    assert passed == [False, True]


# The command line.


async def test_export_prints_lines_and_takes_out_what_must_not_be_shown(left: Left, capsys: Printed) -> None:
    runs = left.runs

    codes = [await command("export", left.file), await command("export", left.file, runs["edited"][:8], "--arguments")]

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert codes == [Exit.OK] * 2
    assert [one["source"]["run"] for one in lines[:5]] == list(runs.values())
    assert "[redacted:email]" in lines[5]["inputs"]
    assert lines[5]["metadata"]["calls"][0]["tool"] == "look"


async def test_export_without_redaction_says_what_that_does(left: Left, capsys: Printed) -> None:
    runs = left.runs

    await command("export", left.file, runs["edited"], "--no-redact")

    printed = capsys.readouterr()
    assert json.loads(printed.out)["inputs"] == SECRET
    assert "not redacted: what people, tools and models wrote stands in it as it is" in printed.err


async def test_export_writes_a_file(left: Left, tmp_path: Path, capsys: Printed) -> None:
    out = tmp_path / "cases.jsonl"

    codes = [
        await command(
            "export", left.file, "--what", "corrected", "--since", "1h", "--out", str(out), "--redact", "email"
        ),
        await command("export", left.file, "--out", str(tmp_path / "none" / "cases.jsonl")),
    ]

    printed = capsys.readouterr()
    assert codes == [Exit.OK, Exit.USAGE]
    assert printed.out == f"2 cases in {out}\n"
    assert "cannot be written (No such file or directory); nothing was changed" in printed.err
    assert len(out.read_text().splitlines()) == 2


async def test_export_and_regress_say_what_is_wrong(left: Left, waiting: str, tmp_path: Path, capsys: Printed) -> None:
    path = str(tmp_path / "cases.jsonl")

    codes = [
        await command("export", waiting, "e0f0"),
        await command("regress", waiting, "e0f0", "--cases", path),
        await command("export", waiting, "none"),
        await command("export", waiting, "--since", "2026-11-31"),
    ]

    errors = capsys.readouterr().err
    assert codes == [Exit.USAGE] * 4
    assert errors.count("goes on") == 2
    assert "no run 'none'" in errors
    assert "--since='2026-11-31' is no time" in errors


async def test_what_the_expected_answer_of_a_person_says_is_not_redacted(left: Left, tmp_path: Path) -> None:
    runs = left.runs
    path = tmp_path / "cases.jsonl"

    await command("regress", left.file, runs["edited"], "--expect", SECRET, "--cases", str(path))

    (one,) = [json.loads(line) for line in path.read_text().splitlines()]
    assert one["expected_output"] == SECRET
    assert "[redacted:email]" in one["inputs"]
