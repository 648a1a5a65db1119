"""Questions that go together: how many trips they take, and whose error is whose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from choragus.mailbox.gathering import Answer, Gathering, each


class Shop:
    """Answers a number with its double; knows no 13."""

    def __init__(self) -> None:
        self.trips: list[list[int]] = []
        self.begun, self.open = asyncio.Event(), asyncio.Event()
        self.open.set()

    async def trip(self, keys: Sequence[int]) -> Sequence[Answer[int]]:
        self.trips.append(list(keys))
        self.begun.set()
        await self.open.wait()
        return each(double, "", keys)


def double(_: str, number: int) -> int:
    if number == 13:
        raise LookupError("thirteen")
    return 2 * number


async def test_who_asks_while_a_trip_is_under_way_shares_the_next() -> None:
    shop = Shop()
    gathering = Gathering(shop.trip, 3)

    answers = await asyncio.gather(*(gathering.ask(number) for number in range(7)))

    assert answers == [0, 2, 4, 6, 8, 10, 12]
    assert shop.trips == [[0, 1, 2], [3, 4, 5], [6]]
    assert await gathering.ask(9) == 18


async def test_an_error_is_that_of_its_asker_only() -> None:
    gathering = Gathering(Shop().trip, 3)

    answers = await asyncio.gather(gathering.ask(1), gathering.ask(13), gathering.ask(2), return_exceptions=True)

    assert isinstance(answers[1], LookupError)
    assert (answers[0], answers[2]) == (2, 4)


async def test_a_trip_that_fails_fails_those_who_went_and_the_next_goes_on() -> None:
    shop = Shop()

    async def trip(keys: Sequence[int]) -> Sequence[Answer[int]]:
        if 1 in keys:
            raise OSError("no road")
        return await shop.trip(keys)

    gathering = Gathering(trip, 2)

    answers = await asyncio.gather(*(gathering.ask(number) for number in range(3)), return_exceptions=True)

    assert [isinstance(answer, OSError) for answer in answers] == [True, True, False]
    assert answers[2] == 4


async def test_who_goes_away_holds_nobody_up_and_is_not_asked_for() -> None:
    shop = Shop()
    shop.open.clear()
    gathering = Gathering(shop.trip, 1)
    first, second, third = (asyncio.ensure_future(gathering.ask(number)) for number in (1, 2, 3))
    await shop.begun.wait()

    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    shop.open.set()

    assert await third == 6
    assert shop.trips == [[1], [3]]


async def test_a_trip_that_is_cut_off_leaves_nobody_waiting() -> None:
    shop = Shop()
    shop.open.clear()
    gathering = Gathering(shop.trip, 1)
    asking = [asyncio.ensure_future(gathering.ask(number)) for number in (1, 2)]
    await shop.begun.wait()
    assert gathering._running is not None

    gathering._running.cancel()

    await asyncio.wait(asking, timeout=5)
    assert all(one.cancelled() for one in asking)


@pytest.mark.parametrize("number", [1, 5])
async def test_no_question_gets_lost_between_two_trips(number: int) -> None:
    gathering = Gathering(Shop().trip, 2)

    for _ in range(3):
        assert await asyncio.gather(*(gathering.ask(one) for one in range(number))) == [2 * n for n in range(number)]
