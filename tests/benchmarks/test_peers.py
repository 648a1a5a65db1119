"""Other libraries are measured where they are installed, and named where they are not."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from benchmarks import actor_scale, peers


def test_a_missing_library_is_skipped_in_one_line_that_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "find_spec", lambda package: None)

    section = peers.section(quick=True)

    skipped = [note for note in section.notes if "skipped" in note]
    assert section.figures == []
    assert [line.split(":")[0] for line in skipped] == ["autogen-core", "pykka"]
    assert all("pip install -e '.[peers]'" in line and "\n" not in line for line in skipped)


@pytest.mark.parametrize("name", peers.PEERS)
def test_an_installed_library_does_all_its_work(name: str) -> None:
    if find_spec(peers.PEERS[name][0]) is None:
        pytest.skip(peers.missing(name))
    peer = peers.load(name)
    assert peer is not None

    measured = [trial.work(20) for trial in peer.trials]

    assert [trial.name for trial in peer.trials] == [*peers.OURS]
    assert all(seconds > 0 for seconds in measured)


def test_idle_memory_is_skipped_with_its_reason_where_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_scale, "SMAPS", tmp_path / "smaps_rollup")
    monkeypatch.setattr(actor_scale, "_growing", lambda *arguments: [])

    section = actor_scale.section(tmp_path, quick=True)

    assert section.figures == []
    assert "idle actor: skipped" in section.notes[-1]
