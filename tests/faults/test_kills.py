"""A kill at any storage call: outcome, world and logbook as undisturbed."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from choragus.supervision.testing.order import KILLED, Scenario

from .edge import NEVER, answer_before_the_commit, letter_that_cannot_be_undone, letter_without_a_key
from .family import Extent, processors
from .interposer import Mode
from .kills import ACTORS, kills, pairs, row_of, singles
from .stand import Stand, Workload
from .trial import Plan

SEED = 20_260


@pytest.mark.parametrize("mode", [Mode.KILL, Mode.TORN], ids=["before it", "in the middle of it"])
@pytest.mark.parametrize("name", ["actors", "agent", "visitor"])
def test_a_kill_at_a_storage_call_loses_and_doubles_nothing(
    name: str, mode: Mode, request: pytest.FixtureRequest
) -> None:
    stand: Stand = request.getfixturevalue(name)

    row = row_of(stand, mode.name, singles(stand.calls, mode, 2))

    assert row.broken == ()
    assert row.points >= 1, "the last call may not come: how many there are is a matter of timing"


def test_a_second_kill_in_the_recovery_loses_and_doubles_nothing(actors: Stand) -> None:
    row = row_of(actors, "pairs", pairs(actors.calls, 2, SEED), hits=2)

    assert row.broken == ()
    assert row.points >= 1


def test_a_letter_that_was_interrupted_is_looked_up_and_not_sent_again(library: Path) -> None:
    with Stand(attrs.evolve(ACTORS, scenario=letter_that_cannot_be_undone), library) as stand:
        seen = stand.run(Plan(lives=((NEVER,),)))

        broken = stand.broken(seen)

    assert broken == []
    assert [life.code for life in seen.lives] == [KILLED, 0]
    assert seen.settled >= 1


def test_the_calls_of_an_undisturbed_run_are_counted(actors: Stand) -> None:
    seen = actors.run(Plan())

    assert actors.broken(seen) == []
    assert seen.calls > 300
    assert seen.hits == ()


@pytest.mark.parametrize(
    ("scenario", "fault"),
    [
        pytest.param(letter_without_a_key, "'letter' happened 2 times", id="doubled", marks=pytest.mark.slow),
        pytest.param(answer_before_the_commit, "acknowledged and lost: 1 was told, and 0 is there", id="lost"),
    ],
)
def test_the_judge_finds_what_a_kill_breaks(library: Path, scenario: Scenario, fault: str) -> None:
    with Stand(Workload(name="careless", scenario=scenario), library) as stand:
        seen = stand.run(Plan(lives=((NEVER,),)))

        broken = stand.broken(seen)

    assert seen.lives[0].code == KILLED
    assert any(fault in one for one in broken), broken


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_kills_at_storage_calls(library: Path, tmp_path: Path) -> None:
    rows = list(kills(Extent(points=6000, library=library, folder=tmp_path, servers=processors())))

    assert [one for row in rows for one in row.broken] == []
    assert sum(row.points for row in rows) > 5000
