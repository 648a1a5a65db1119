"""The power fails: what was acknowledged is there, whatever of the rest is."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import attrs
import pytest

from . import forked
from .family import Extent, processors
from .journal import Done, What
from .payments import look, payments
from .power import FORKED, KEPT, PAID, images_behind_failures, look_at_images, power, record, summary
from .upkeep import COPIED

SEED = 20_260


@pytest.fixture(scope="module")
def calls(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Done]:
    few = attrs.evolve(PAID, scenario=partial(payments, synchronous="FULL", paid=60))
    return record(library, tmp_path_factory.mktemp("power"), few)


def test_what_was_acknowledged_survives_a_loss_of_power(calls: list[Done], tmp_path: Path) -> None:
    images = look_at_images(calls, look, range(25), SEED, tmp_path)

    assert [str(one) for one in images if not one.is_whole] == []
    assert max(one.acknowledged for one in images) > 40


def test_a_loss_of_power_in_an_upkeep_leaves_the_file_and_its_backup_whole(library: Path, tmp_path: Path) -> None:
    calls = record(library, tmp_path / "recorded", KEPT)
    copied = 1 + next(number for number, call in enumerate(calls) if call.offset == COPIED and _is_told(call))

    images = look_at_images(calls, KEPT.look, range(10), SEED, tmp_path)
    behind = look_at_images(calls, KEPT.look, range(5), SEED, tmp_path, within=range(copied, copied + 1))

    assert [str(one) for one in [*images, *behind] if not one.is_whole] == []


@pytest.fixture(scope="module")
def forking(library: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Done]:
    return record(library, tmp_path_factory.mktemp("forked"), FORKED)


def test_a_loss_of_power_leaves_a_fork_whole_or_none_and_no_payment_without_its_intent(
    forking: list[Done], tmp_path: Path
) -> None:
    told = {call.offset: number for number, call in enumerate(forking) if _is_told(call)}

    images = look_at_images(forking, FORKED.look, range(5), SEED, tmp_path)
    begun = range(told[forked.ENDED], told[forked.FORKED] + 2)
    images += look_at_images(forking, FORKED.look, range(5, 10), SEED, tmp_path, within=begun)

    assert sorted(told) == list(range(forked.BEGUN, forked.FORK_ENDED + 1))
    assert [str(one) for one in images if not one.is_whole] == []


@pytest.mark.slow
def test_the_judge_of_a_fork_sees_what_a_log_without_flushes_loses(forking: list[Done], tmp_path: Path) -> None:
    lied = [call for call in forking if call.what is not What.FLUSHED]

    found = summary(look_at_images(lied, FORKED.look, range(20), SEED, tmp_path))

    assert found["lost"] + found["corrupt"] > 5


def test_what_was_acknowledged_behind_flushes_that_failed_survives_a_loss_of_power(
    library: Path, tmp_path: Path
) -> None:
    """Three in a row: the commit's, its rollback's and that of the next try."""
    extent = Extent(points=1, library=library, folder=tmp_path)

    made_up_for, dropped = images_behind_failures(extent, 2, 15)

    assert [str(one) for one in [*made_up_for, *dropped] if not one.is_whole] == []


def _is_told(call: Done) -> bool:
    return call.what is What.ACKNOWLEDGED


def test_the_judge_sees_what_a_log_without_flushes_loses(calls: list[Done], tmp_path: Path) -> None:
    """As synchronous=NORMAL, which acknowledges before it flushes; the slow form has the real one."""
    logs = {call.file for call in calls if call.what is What.CREATED and call.name.endswith("-wal")}
    unflushed = [call for call in calls if not (call.what is What.FLUSHED and call.file in logs)]

    found = summary(look_at_images(unflushed, look, range(20), SEED, tmp_path))

    assert found["lost"] > 2


def test_the_judge_sees_what_a_disk_that_lies_does(calls: list[Done], tmp_path: Path) -> None:
    lied = [call for call in calls if call.what is not What.FLUSHED]

    found = summary(look_at_images(lied, look, range(20), SEED, tmp_path))

    assert found["corrupt"] > 2
    assert found["lost"] > 2


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_full_ten_thousand_losses_of_power(library: Path, tmp_path: Path) -> None:
    full, kept, fork, failed, dropped, normal, lying = power(
        Extent(points=10_000, library=library, folder=tmp_path, servers=processors())
    )

    assert (full.broken, full.points) == ((), 10_000)
    assert (kept.broken, fork.broken, failed.broken, dropped.broken) == ((), (), (), ())
    assert normal.lost > normal.points // 10
    assert lying.lost > 0
