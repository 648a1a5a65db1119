"""Many deadlines on one timer: each passes once, in its time, unless it was cancelled."""

from __future__ import annotations

import asyncio

from choragus.actors.deadline import ROOM, Deadlines
from choragus.actors.testing.simulation import simulated

SEEDS = range(5)


@simulated(seeds=SEEDS)
async def test_a_deadline_passes_in_its_time_and_once() -> None:
    loop = asyncio.get_running_loop()
    passed: list[tuple[str, float]] = []
    began = loop.time()
    deadlines = Deadlines(loop)

    for name, seconds in [("late", 30), ("soon", 10), ("late too", 30)]:
        deadlines.after(seconds, lambda name: passed.append((name, loop.time() - began)), name)
    await asyncio.sleep(60)

    assert passed == [("soon", 10), ("late", 30), ("late too", 30)]


@simulated(seeds=SEEDS)
async def test_a_cancelled_deadline_does_not_pass() -> None:
    passed: list[int] = []
    deadlines = Deadlines(asyncio.get_running_loop())

    kept = [deadlines.after(10, passed.append, number) for number in range(10)]
    for deadline in kept[::2]:
        deadline.cancel()
    await asyncio.sleep(30)

    assert passed == [1, 3, 5, 7, 9]


@simulated(seeds=SEEDS)
async def test_a_deadline_set_by_another_one_passes_too() -> None:
    passed = asyncio.Event()
    deadlines = Deadlines(asyncio.get_running_loop())

    deadlines.after(10, lambda: deadlines.after(10, passed.set))

    await asyncio.wait_for(passed.wait(), 20.5)


async def test_one_that_stays_open_does_not_keep_the_cancelled_ones_behind_it() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())
    first = deadlines.after(30, lambda: None)

    for _ in range(100 * ROOM):
        deadlines.after(30, lambda: None).cancel()

    assert sum(len(queue.waiting) for queue in deadlines._queues.values()) <= ROOM
    first.cancel()


@simulated(seeds=SEEDS)
async def test_no_timer_is_left_when_nothing_is_waited_for() -> None:
    deadlines = Deadlines(asyncio.get_running_loop())

    deadlines.after(10, lambda: None)
    deadlines.after(20, lambda: None).cancel()
    await asyncio.sleep(40)

    assert not deadlines._queues
    assert deadlines._timer is None


@simulated(seeds=SEEDS)
async def test_an_action_that_fails_does_not_silence_those_behind_it() -> None:
    def broken() -> None:
        raise RuntimeError("no")

    loop = asyncio.get_running_loop()
    unhandled: list[object] = []
    loop.set_exception_handler(lambda _, context: unhandled.append(context["exception"]))
    passed: list[float] = []
    deadlines = Deadlines(loop)

    deadlines.after(10, broken)
    deadlines.after(10, lambda: passed.append(loop.time()))
    await asyncio.sleep(20)

    assert passed == [10]
    assert [type(error) for error in unhandled] == [RuntimeError]


@simulated(seeds=SEEDS)
async def test_timeouts_that_are_all_different_are_forgotten_when_they_are_done() -> None:
    """A caller who gives what is left of its own time has another timeout each time."""
    deadlines = Deadlines(asyncio.get_running_loop())

    for number in range(100 * ROOM):
        deadlines.after(3600.0 + number, int).cancel()

    assert len(deadlines._queues) <= 2 * ROOM


@simulated(seeds=SEEDS)
async def test_timeouts_that_are_all_different_pass_in_their_order() -> None:
    passed: list[int] = []
    deadlines = Deadlines(asyncio.get_running_loop())

    kept = {number: deadlines.after(1.0 + number, passed.append, number) for number in reversed(range(5 * ROOM))}
    for number in range(0, 5 * ROOM, 3):
        kept[number].cancel()
    await asyncio.sleep(6.0 * ROOM)

    assert passed == [number for number in range(5 * ROOM) if number % 3]
    assert not deadlines._queues


@simulated(seeds=SEEDS)
async def test_a_deadline_that_sets_another_for_now_does_not_hold_the_loop() -> None:
    passed: list[int] = []
    deadlines = Deadlines(asyncio.get_running_loop())

    def again(number: int) -> None:
        passed.append(number)
        deadlines.after(1e-18 * (number + 1), again, number + 1)

    deadlines.after(1.0, again, 0)
    await asyncio.sleep(1.0)
    for _ in range(10):
        await asyncio.sleep(0)

    assert len(passed) < 100
