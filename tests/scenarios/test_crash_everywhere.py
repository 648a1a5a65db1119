"""`crash_everywhere` on a bank and on the audit example, and on scenarios that a crash breaks."""

from __future__ import annotations

import importlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from choragus.agents.testing import INTERRUPTIONS
from choragus.supervision.testing import CrashReport, Ledger, ScenarioFault, crash_everywhere

from . import broken
from .audit import audit
from .bank import INTERRUPTED, transfers
from .counter import counting
from .fixture_tree import build

pytestmark = pytest.mark.timeout(180)  # a sweep on a busy machine; one of its processes has 30 s
Script = Callable[[str], subprocess.Popen[str]]
POINTS = ("before commit", "after commit", "before effect", "after note")


async def test_a_bank_survives_crashes() -> None:
    report = await crash_everywhere(transfers, sample=4, pairs=1, allowed=INTERRUPTED, bodies=["moved"])

    assert tuple(report.points) == POINTS
    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
def test_the_audit_survives_crashes(tmp_path: Path) -> None:
    build(tmp_path / "tree")

    report = crash_everywhere(partial(audit, tree=tmp_path / "tree"), sample=2, allowed=INTERRUPTIONS).check()

    assert tuple(report.points) == POINTS
    assert report.kills >= report.trials - 2, "hardly anything was killed"


async def test_the_counter_survives_crashes() -> None:
    report = await crash_everywhere(counting, sample=2)

    assert report.kills >= report.trials - 2, "hardly anything was killed"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_the_counter_survives_every_crash_and_a_second_one() -> None:
    print(crash_everywhere(counting, pairs=50).check())


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_a_bank_survives_every_crash_and_a_second_one() -> None:
    print(crash_everywhere(transfers, pairs=200, allowed=INTERRUPTED, bodies=["moved"]).check())


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_the_audit_survives_every_crash_and_a_second_one(tmp_path: Path) -> None:
    build(tmp_path / "tree")

    print(crash_everywhere(partial(audit, tree=tmp_path / "tree"), pairs=50, allowed=INTERRUPTIONS).check())


def said_of(report: CrashReport, point: str) -> list[str]:
    """What was said of the crash at that point, line by line."""
    (fault,) = [fault for fault in report.faults if fault.where.startswith(f"{point} ")]
    return [line.strip() for line in str(fault).splitlines()]


def test_an_effect_in_a_handler_is_found() -> None:
    report = crash_everywhere(broken.impatient).run()

    assert said_of(report, "after note 1") == [
        "after note 1 ('ship fig', noted by a handler of broken.impatient/a)",
        "'ship fig' happened 2 times, undisturbed once: done outside any effect, so again when its turn is lost: "
        "make it an effect, self.effect('runner', request, ...), or give the outside a key",
        "replay only this one: CHORAGUS_CRASH='after note 1' pytest "
        "tests/scenarios/test_crash_everywhere.py::test_an_effect_in_a_handler_is_found",
    ]
    assert said_of(report, "before commit 3")[0] == ("before commit 3 (the turn of broken.impatient/a on broken.sell)")
    assert [fault.plan[0].kind for fault in report.faults] == ["before commit"] * 2 + ["after note"] * 2


def test_state_in_a_global_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after commit 3")

    report = crash_everywhere(broken.forgetful).run()

    said = said_of(report, "after commit 3")
    assert said[0] == "after commit 3 (the turn of broken.forgetful/a on broken.sell)"
    assert said[1] == "another outcome: 1 in place of 2"


def test_a_rerunnable_effect_that_is_not_idempotent_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after note 2")

    report = crash_everywhere(broken.careless).run()

    said = said_of(report, "after note 2")
    assert said[0] == "after note 2 ('ship pear', noted by the effect 'ship' of broken.careless/a)"
    assert said[1].startswith(
        "'ship pear' happened 2 times, undisturbed once: the effect 'ship' of broken.careless/a is declared as "
        "rerunnable and is not idempotent: give the outside its id (EffectContext.id) as a key"
    )


def test_a_runtime_that_guesses_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after note 1")

    report = crash_everywhere(broken.guessing).run()

    assert said_of(report, "after note 1")[2] == (
        "the effect broken.careless/a!1.1 ('ship') cannot be undone, was interrupted, and ran again"
    )


def test_another_logbook_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after commit 3")

    report = crash_everywhere(broken.chatty).run()

    assert said_of(report, "after commit 3")[1] == "the logbook has sold 3 times, undisturbed 2 times (stream system)"


def test_lines_of_the_logbook_that_may_come_more_often_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after commit 3")

    crash_everywhere(broken.chatty, allowed=["sold"]).check()


def test_a_scenario_that_cannot_go_on_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after commit 2")

    with pytest.raises(AssertionError, match=r"(?s)^unloved: 10 crash points .*it did not go on: .*who are you\?"):
        crash_everywhere(broken.unloved).check()


@pytest.mark.slow
def test_a_scenario_that_hangs_is_ended_and_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after commit 2")

    with pytest.raises(AssertionError, match="it had not ended when its time was over"):
        crash_everywhere(broken.stuck, timeout=3.0).check()


def test_one_point_is_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "before effect 2, after commit 3")

    report = crash_everywhere(broken.careless).run()

    assert (report.trials, report.kills, report.faults) == (1, 2, ())


def test_a_point_that_is_not_there_is_no_success(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHORAGUS_CRASH", "after note 9")

    with pytest.raises(ScenarioFault, match=r"^forgetful never came to CHORAGUS_CRASH='after note 9'; it has"):
        crash_everywhere(broken.forgetful).check()


@pytest.mark.parametrize(
    ("scenario", "why"),
    [
        pytest.param(broken.another_each_time, "^the scenario another_each_time is another each time, .* its outcome"),
        pytest.param(broken.fails, r"(?s)^the scenario fails fails undisturbed: .*no such thing in scenario\.db$"),
        pytest.param(broken.leaves_no_file, "left no file at the path 'scenario.db'"),
        pytest.param(broken.no_json, "^the scenario no_json fails undisturbed: .* is no JSON"),
        pytest.param(lambda: broken.fails, "^the scenario <lambda> cannot be loaded in a process of its own"),
    ],
    ids=["another each time", "fails", "no file", "no JSON", "a lambda"],
)
def test_what_is_no_scenario_is_refused_before_anything_is_crashed(scenario: object, why: str) -> None:
    with pytest.raises(ScenarioFault, match=why):
        crash_everywhere(scenario).check()  # type: ignore[arg-type]  # one of them is none


def test_a_module_that_cannot_be_imported_elsewhere_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It needs something that only this process has."""
    monkeypatch.setitem(sys.modules, "only_here", broken)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "needy.py").write_text("from only_here import fails\nasync def needy(path, ledger): ...\n")

    with pytest.raises(ScenarioFault, match=r"^the scenario needy cannot be loaded .* No module named 'only_here'"):
        crash_everywhere(importlib.import_module("needy").needy).check()


def test_a_sweep_that_is_forgotten_warns() -> None:
    with pytest.warns(RuntimeWarning, match=r"^crash_everywhere\(forgetful\) tried nothing: await it"):
        crash_everywhere(broken.forgetful)


@pytest.mark.parametrize("options", [{"sample": 0}, {"pairs": -1}, {"timeout": 0.0}], ids=str)
def test_a_number_below_its_least_is_refused(options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(options))}="):
        crash_everywhere(broken.forgetful, **options)  # type: ignore[arg-type]  # as written


@pytest.fixture
def script(tmp_path: Path) -> Script:
    """Start Python on a text, with the modules that this process sees."""

    def start(text: str) -> subprocess.Popen[str]:
        path = tmp_path / "script.py"
        path.write_text(text, encoding="utf-8")
        return subprocess.Popen(
            [sys.executable, path],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


SCRIPT = """
import asyncio
from attrs import define, frozen
from choragus.actors import DurableActor, Request, handle
from choragus.mailbox import stored
from choragus.supervision import System
from choragus.supervision.testing import crash_everywhere

@stored("script.add")
@frozen
class Add(Request[int]):
    amount: int

@stored("script.total")
@define
class Total:
    amount: int = 0

class Till(DurableActor[Total, Add], name="script.till"):
    @handle
    def add(self, message: Add) -> int:
        self.state.amount += message.amount
        return self.state.amount

async def till(path, ledger):
    async with System(path, actors=[Till]) as system:
        return await system.ref(Till, "a").ask(Add(5), key="five")

async def main():
    print((await crash_everywhere(till)).faults)

"""


@pytest.mark.parametrize(
    "last",
    ["print(crash_everywhere(till).check().faults)", "asyncio.run(main())"],
    ids=["checked", "awaited"],
)
def test_a_plain_script_crashes_what_it_defines_itself(last: str, script: Script) -> None:
    """Also without `if __name__ == "__main__"`: it is not run again from its beginning."""
    with script(SCRIPT + last) as process:
        printed, errors = process.communicate(timeout=60)

    assert (printed, process.returncode) == ("()\n", 0), errors


ENDLESS = """
import asyncio, os
from choragus.supervision.testing import crash_everywhere

async def endless(path, ledger):
    print(os.getpid(), path.parent.parent, file=open("noted", "w"), flush=True)
    await asyncio.sleep(60)

async def main():
    await crash_everywhere(endless)

"""


@pytest.mark.parametrize(
    "last", ["crash_everywhere(endless).check()", "asyncio.run(main())"], ids=["checked", "awaited"]
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_no_process_outlives_the_test(number: signal.Signals, last: str, tmp_path: Path, script: Script) -> None:
    with script(ENDLESS + last) as process:
        note = tmp_path / "noted"
        assert eventually(lambda: note.exists() and note.read_text(encoding="utf-8").endswith("\n"), seconds=30)
        life, folder = note.read_text(encoding="utf-8").split()

        process.send_signal(number)
        process.communicate(timeout=10)

    assert eventually(lambda: not is_alive(int(life)) and not Path(folder).exists(), seconds=5)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    """Other processes tell nobody: look until it holds, or the time is over."""
    end = time.monotonic() + seconds
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def test_a_change_with_a_key_counts_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger")

    counted = [ledger.note("paid", key="a"), ledger.note("paid", key="a"), ledger.note("paid"), ledger.note("paid")]

    assert counted == [True, False, True, True]
    assert ledger.count("paid") == 3
    assert [line.by for line in ledger.changes()] == ["the host, or an actor that is not durable"] * 3
