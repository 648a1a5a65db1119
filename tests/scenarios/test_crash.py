"""Kill the audit at any instant, run it again: the same report, nothing that was finished done again, filed once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from . import ledger
from .fixture_tree import build
from .kill_point import Kind, Point
from .sweep import Plan, Range, opened
from .trial import KILLED, OUTCOME_UNKNOWN, REPORT, faults, read_record

pytestmark = pytest.mark.timeout(180)  # a sweep on a busy machine; one of its runs has 30 s
EXAMPLE = Path(__file__).parents[2] / "examples/audit_environment.py"
FILING = 12
"""The last turns of an audit, from before the filing is asked for."""
SEED = 20_260


@pytest.fixture(scope="module")
def range_(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Range]:
    folder = tmp_path_factory.mktemp("crash")
    build(folder / "tree")
    with opened(folder / "tree", folder) as range_:
        yield range_


def every(kind: Kind, last: int, step: int = 1) -> list[Plan]:
    """A kill after each (or each `step`-th) thing of a kind."""
    return [[Point(kind, number)] for number in range(1, last + 1, step)]


def instants(range_: Range, number: int) -> list[Plan]:
    """Random instants: after a delay from outside, and before a random SQL statement, as many of each."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    delays = [Point("delay", chance.uniform(0.0, range_.baseline.seconds)) for _ in range(number // 2)]
    statements = [Point("statement", chance.randint(1, range_.statements)) for _ in range(number - len(delays))]
    return [[point] for point in (*delays, *statements)]


def pairs(range_: Range, number: int) -> list[Plan]:
    """A kill after a turn, and one in the recovery from it."""
    chance = random.Random(SEED)
    print(f"seed {SEED}")
    turns = range_.baseline.counts["turn"]
    firsts = [chance.randint(1, turns - 2) for _ in range(number)]
    return [[Point("turn", first), Point("turn", chance.randint(1, turns - first))] for first in firsts]


def test_a_kill_after_a_turn_loses_and_doubles_nothing(range_: Range) -> None:
    turns = range_.baseline.counts["turn"]
    sampled = {*range(1, turns, 300), *range(turns - FILING, turns + 3, 2), turns + 2}

    outcome = range_.sweep([[Point("turn", number)] for number in sorted(sampled)])

    assert outcome.faults == ()
    assert outcome.trials[-1].kills == 0, "no run survived"
    assert "not" in outcome.settled, "no kill came between the filing's intent and the filing"


def test_a_kill_after_a_result_or_a_host_message_loses_and_doubles_nothing(range_: Range) -> None:
    counts = range_.baseline.counts

    outcome = range_.sweep([*every("closure", counts["closure"], 80), *every("append", counts["append"])])

    assert outcome.faults == ()
    assert all(trial.kills == 1 for trial in outcome.trials)


def test_a_kill_at_a_random_instant_loses_and_doubles_nothing(range_: Range) -> None:
    assert range_.sweep(instants(range_, 2)).faults == ()


def test_a_second_kill_in_the_recovery_loses_and_doubles_nothing(range_: Range) -> None:
    outcome = range_.sweep(pairs(range_, 2))

    assert outcome.faults == ()
    assert any(trial.kills == 2 for trial in outcome.trials)


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        pytest.param("intent", "not", id="after its intent", marks=pytest.mark.slow),
        pytest.param("filing", "not", id="as it begins"),
        pytest.param("linked", "happened", id="when its file appears", marks=pytest.mark.slow),
        pytest.param("filed", "happened", id="when it is done"),
    ],
)
def test_a_kill_in_the_filing_is_left_to_a_person(range_: Range, kind: Kind, answer: str) -> None:
    """`--yes` does not answer it, however often; what the archive shows does, and the report is filed once."""
    trial = range_.trial(kind)

    assert trial.run(Point(kind, 1)).code == KILLED
    asked, again = trial.run(), trial.run()

    assert (asked.code, again.code) == (OUTCOME_UNKNOWN, OUTCOME_UNKNOWN)
    assert f"choragus settle {trial.database} {range_.baseline.summary.run} 11.1 --not" in again.text
    assert "approved" not in again.text
    trial.go_on()
    assert trial.settled == [answer]
    assert faults(trial, range_.baseline) == []


def test_a_filing_that_was_given_up_ends_the_run_and_is_never_tried_again(range_: Range) -> None:
    trial = range_.trial("given up")
    trial.run(Point("intent", 1))
    assert trial.run().code == OUTCOME_UNKNOWN
    run = range_.baseline.summary.run

    settled = trial.start("choragus", "settle", str(trial.database), run, "11.1", "--give-up")
    ended = trial.run()

    assert (settled.code, ended.code) == (0, 1), ended.text
    assert "gave up on call 11.1" in ended.text
    assert (trial.filed(), trial.doubled) == ({}, [])


def test_a_run_that_had_not_taken_its_first_turn_is_not_run_with_the_tools_of_another(range_: Range) -> None:
    """Killed when only its start message was on disk, then the same folder is used for another tree."""
    trial = range_.trial("barely begun")
    build(trial.folder / "other")
    trial.run(Point("append", 1))

    trial.tree = trial.folder / "other"
    other = trial.run()
    trial.tree = range_.tree
    again = trial.run()

    assert (other.code, again.code) == (0, 0), again.text
    assert [one.status.value for one in read_record(trial.database).summaries] == ["completed", "completed"]


@pytest.mark.slow
def test_the_real_process_killed_from_outside_goes_on(range_: Range, tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = [sys.executable, str(EXAMPLE), "--yes", "--path", str(range_.tree), "--out", str(out)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "step 6.1" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)

    again = subprocess.run(line, capture_output=True, text=True, check=False)

    assert (process.returncode, again.returncode) == (KILLED, 0), again.stderr
    assert "going on at step" in again.stdout
    assert (out / REPORT).read_bytes() == range_.baseline.report
    record = read_record(out / "audit.db")
    assert (record.finished, record.problems) == (range_.baseline.record.finished, ())


def test_the_undisturbed_audit_executes_each_call_once(range_: Range) -> None:
    begun = ledger.times_begun(range_.trial("undisturbed").ledger())

    assert begun == range_.baseline.record.finished


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_a_kill_after_each_turn(range_: Range) -> None:
    outcome = range_.sweep(every("turn", range_.baseline.counts["turn"] + 3))

    assert outcome.faults == ()
    assert outcome.trials[-1].kills == 0, "no run survived"
    assert "not" in outcome.settled, "no kill came between the filing's intent and the filing"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_a_kill_after_each_result(range_: Range) -> None:
    assert range_.sweep(every("closure", range_.baseline.counts["closure"])).faults == ()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_a_kill_at_fifty_random_instants(range_: Range) -> None:
    assert range_.sweep(instants(range_, 50)).faults == ()


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_full_a_kill_at_every_seventh_sql_statement(range_: Range) -> None:
    assert range_.sweep(every("statement", range_.statements, 7)).faults == ()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_full_two_kills(range_: Range) -> None:
    assert range_.sweep(pairs(range_, 50)).faults == ()
