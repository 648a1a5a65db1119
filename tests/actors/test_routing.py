"""Who gets a message: decided without any actor."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from choragus.actors.routing import ConsistentHash, LeastLoaded, RoundRobin


@frozen
class Fake:
    path: str
    load: int = 0


def owners(keys: list[str], members: list[Fake]) -> dict[str, str]:
    routing: ConsistentHash[str] = ConsistentHash(key=lambda key: key)
    return {key: members[routing.choose(key, members, 0)].path for key in keys}


def test_round_robin_takes_turns() -> None:
    members = [Fake("a"), Fake("b"), Fake("c")]

    assert [RoundRobin().choose("m", members, turn) for turn in range(7)] == [0, 1, 2, 0, 1, 2, 0]


@pytest.mark.parametrize(
    ("loads", "chosen"), [([3, 1, 2], 1), ([2, 1, 1], 1), ([0, 0], 0), ([5], 0)], ids=["least", "tie", "idle", "one"]
)
def test_least_loaded_takes_the_first_of_the_least(loads: list[int], chosen: int) -> None:
    members = [Fake(str(index), load) for index, load in enumerate(loads)]

    assert LeastLoaded().choose("m", members, 9) == chosen


NAMES = st.lists(st.text(min_size=1, max_size=12), min_size=2, max_size=9, unique=True)
KEYS = st.lists(st.text(max_size=20), min_size=1, max_size=60, unique=True)


@given(names=NAMES, keys=KEYS, data=st.data())
def test_only_the_keys_of_a_member_that_goes_move(names: list[str], keys: list[str], data: st.DataObject) -> None:
    """And read backwards: a member that comes takes keys, and no key moves between the others."""
    members = [Fake(name) for name in names]
    gone = data.draw(st.sampled_from(members))

    before = owners(keys, members)
    after = owners(keys, [member for member in members if member is not gone])

    assert {key: owner for key, owner in before.items() if owner != gone.path}.items() <= after.items()


@given(names=NAMES, keys=KEYS, data=st.data())
def test_the_order_of_the_members_does_not_matter(names: list[str], keys: list[str], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(names))

    assert owners(keys, [Fake(name) for name in names]) == owners(keys, [Fake(name) for name in shuffled])


@pytest.mark.parametrize("size", [2, 8, 20])
def test_keys_spread_evenly_and_a_new_member_takes_its_share_only(size: int) -> None:
    keys = [f"user-{number}" for number in range(4000)]
    members = [Fake(f"pool/Worker-{number + 1}") for number in range(size)]

    before = owners(keys, members)
    after = owners(keys, [*members, Fake(f"pool/Worker-{size + 1}")])

    share = len(keys) / size
    assert all(0.7 * share < count < 1.3 * share for count in Counter(before.values()).values())
    moved = sum(before[key] != after[key] for key in keys)
    assert 0.7 * len(keys) / (size + 1) < moved < 1.3 * len(keys) / (size + 1)


def test_another_process_gives_the_same_member() -> None:
    code = (
        "from types import SimpleNamespace as Fake; from choragus.actors.routing import ConsistentHash as Hash; "
        "print(Hash(key=str).choose('user-1', [Fake(path=str(number)) for number in range(999)], 0))"
    )

    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }

    assert len(printed) == 1


def test_a_key_that_is_no_text_is_refused() -> None:
    routing: ConsistentHash[int] = ConsistentHash(key=lambda number: number)  # type: ignore[arg-type, return-value]  # that is the point

    with pytest.raises(TypeError, match=r"^the key of 3 is 3: let key= give text"):
        routing.choose(3, [Fake("a")], 0)
