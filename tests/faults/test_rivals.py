"""The table of rivals: its judge tells doubled, lost and stuck from kept, and what is not installed is named."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import attrs
import pytest

from . import rival as rival_module
from .rival import Rival
from .rivals import BY_HAND, HEAD, RIVALS, Result, tried

TOY = Rival(name="toy", module="toy_rival", work="doubling")
STEPS = 2
EVERY = 12
"""Points that are every call of two steps of a toy."""


def in_the_plan(rival: Rival, library: Path, points: int) -> Result:
    with closing(tried(rival, points, library, steps=STEPS)) as results:
        return next(results)


@pytest.mark.parametrize(
    ("work", "key", "points", "seen"),
    [
        pytest.param("doubling", "", 4, {"doubled"}, id="doubling"),
        pytest.param("doubling", BY_HAND, 4, {"again"}, id="doubling, with a key"),
        pytest.param("losing", "", EVERY, {"lost"}, id="losing"),
        pytest.param("stuck", "", 4, {"stuck"}, id="stuck"),
    ],
)
@pytest.mark.slow
def test_the_judge_tells_what_a_careless_toy_does(
    work: str, key: str, points: int, seen: set[str], library: Path
) -> None:
    toy = attrs.evolve(TOY, work=work, key=key)

    result = in_the_plan(toy, library, points)

    counts: Mapping[str, int] = {name: getattr(result, name) for name in ("doubled", "again", "lost", "stuck")}
    assert {name for name, count in counts.items() if count} - {"lost" if work == "stuck" else ""} == seen
    assert result.points >= points // 2
    assert result.calls > 1


@pytest.mark.slow
@pytest.mark.parametrize("rival", [one for one in RIVALS if one.keeps], ids=lambda one: one.key or "no key")
def test_choragus_keeps_every_effect_at_once_under_the_same_judge(rival: Rival, library: Path) -> None:
    result = in_the_plan(rival, library, points=4)

    assert result.broken == ()
    assert (result.doubled, result.lost, result.stuck) == (0, 0, 0)
    assert result.points >= 2


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rival", [one for one in RIVALS if not one.keeps], ids=lambda one: f"{one.name} {one.key}")
def test_a_peer_doubles_without_a_key_and_not_with_one(rival: Rival, library: Path) -> None:
    if rival.missing:
        pytest.skip(rival.missing)

    result = in_the_plan(rival, library, points=20)

    assert (result.doubled > 0) == (not rival.key)
    assert result.points >= 10


def test_a_library_that_is_not_installed_is_named_with_what_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rival_module, "find_spec", lambda package: None)

    reasons = [one.missing for one in RIVALS]

    assert [reason.split(":")[0] for reason in reasons if reason] == ["langgraph"] * 2 + ["dbos"] * 2
    assert all("pip install -e '.[peers]'" in reason for reason in reasons if reason)


def test_a_result_is_a_line_of_the_table() -> None:
    result = Result(
        rival=TOY,
        killed="in the steps",
        points=8,
        doubled=2,
        again=0,
        lost=1,
        stuck=0,
        settled=0,
        other=3,
        calls=4.25,
        broken=(),
    )

    line = dict(zip(HEAD, result.cells, strict=True))

    assert line["doubled"] == "2 (25 %)"
    assert (line["lost"], line["otherwise broken"], line["storage calls per effect"]) == ("1", "3", "4.2")
