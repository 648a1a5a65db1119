"""Durable libraries are measured where they are installed, and named where they are not; our side does all its work."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from benchmarks import durable_peers, durable_plan


def test_a_missing_library_is_skipped_in_one_line_that_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable_peers, "find_spec", lambda package: None)

    section = durable_peers.section(tmp_path, quick=True)

    skipped = [note for note in section.notes if "skipped" in note]
    assert section.figures == []
    assert [line.split(":")[0] for line in skipped] == ["langgraph", "dbos", "litequeue"]
    assert all("pip install -e '.[peers]'" in line and "\n" not in line for line in skipped)


@pytest.mark.parametrize("plans", [durable_plan.turns, durable_plan.calls], ids=["turns", "calls"])
def test_our_plans_come_to_their_end(plans: durable_plan.Plans, tmp_path: Path) -> None:
    assert durable_plan.seconds(plans, tmp_path, plans=3, steps=4, waves=2) > 0


@pytest.mark.parametrize("put", [durable_plan.told, durable_plan.sent], ids=["told", "sent"])
def test_our_queue_takes_every_message(put: durable_plan.Puts, tmp_path: Path) -> None:
    assert put(tmp_path, durable_plan.SENDERS * 2) > 0


def test_a_step_adds_as_many_bytes_late_as_early(tmp_path: Path) -> None:
    early, late = (durable_plan.grown(tmp_path, steps) / steps for steps in (100, 200))

    assert late < early * durable_peers.EVEN.limit
    assert early > len(durable_plan.TEXT), "the text itself is on disk"


@pytest.mark.parametrize("name", durable_peers.PEERS)
def test_an_installed_library_does_all_its_work(name: str, tmp_path: Path) -> None:
    peer = durable_peers.load(name)
    if peer is None:
        pytest.skip(durable_peers.missing(name))

    works = [partial(work, tmp_path, 5) for work, _ in peer.queues.values()]
    if peer.steps is not None:
        works.append(partial(peer.steps, tmp_path, 2, 3))
    if peer.grown is not None:
        works.append(partial(peer.grown, tmp_path, 20))
    measured = [work() for work in works]

    assert measured
    assert all(value > 0 for value in measured)
