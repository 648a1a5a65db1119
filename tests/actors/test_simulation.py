"""Simulated time and order: what jumps, what may change places, what is refused, and how a failure is replayed."""

from __future__ import annotations

import asyncio
import random
import threading
from itertools import pairwise

import anyio
import anyio.to_thread
import pytest

from choragus.actors.testing.errors import Deadlock, NotSimulated, Overrun
from choragus.actors.testing.loop import EPOCH, clock, settled
from choragus.actors.testing.simulation import simulate, simulated
from choragus.actors.thread import in_thread


def test_a_long_sleep_is_free_and_both_clocks_follow() -> None:
    async def main() -> tuple[float, float]:
        await asyncio.sleep(3600)
        await anyio.sleep(60)
        return asyncio.get_running_loop().time(), clock()

    assert simulate(main) == (3660.0, EPOCH + 3660.0)


async def three(note: list[str]) -> None:
    async def run(name: str) -> None:
        for _ in range(2):
            note.append(name)
            await asyncio.sleep(0)

    await asyncio.gather(*(run(name) for name in "abc"))


def interleaving(seed: int) -> str:
    note: list[str] = []
    simulate(lambda: three(note), seed=seed)
    return "".join(note)


def test_seed_0_is_the_order_of_asyncio_itself() -> None:
    note: list[str] = []
    asyncio.run(three(note))

    assert interleaving(0) == "".join(note) == "abcabc"


def test_a_seed_is_one_interleaving_and_seeds_explore() -> None:
    assert [interleaving(seed) for seed in range(30)] == [interleaving(seed) for seed in range(30)]
    assert len({interleaving(seed) for seed in range(200)}) > 40


@pytest.mark.parametrize("seed", range(30))
def test_plain_callbacks_and_those_of_one_future_keep_their_order(seed: int) -> None:
    async def main() -> tuple[list[int], list[str]]:
        loop = asyncio.get_running_loop()
        plain: list[int] = []
        told: list[str] = []
        future: asyncio.Future[None] = loop.create_future()

        async def wait(name: str) -> None:
            await future
            told.append(name)

        first = asyncio.create_task(wait("first"))
        await settled()
        future.add_done_callback(lambda _: told.append("callback"))
        second = asyncio.create_task(wait("second"))
        await settled()
        for number in range(10):
            loop.call_soon(plain.append, number)
        future.set_result(None)
        await asyncio.gather(first, second)
        await settled()
        return plain, told

    assert simulate(main, seed=seed) == (list(range(10)), ["first", "callback", "second"])


def test_a_race_is_found_by_some_seed_and_not_by_the_usual_order() -> None:
    async def main() -> int:
        balance = 10

        async def deposit() -> None:
            nonlocal balance
            read = balance
            await asyncio.sleep(0)
            balance = read + 1

        async def later() -> None:
            await asyncio.sleep(0)
            await deposit()

        await asyncio.gather(deposit(), later())
        return balance

    balances = [simulate(main, seed=seed) for seed in range(20)]

    assert balances[0] == 12
    assert set(balances) == {11, 12}


def test_timers_ring_in_the_order_of_their_times_and_equal_ones_in_any() -> None:
    async def main() -> list[float]:
        rang: list[float] = []
        loop = asyncio.get_running_loop()
        for seconds in (3, 1, 2, 2.5):
            loop.call_later(seconds, lambda: rang.append(loop.time()))
        await asyncio.sleep(5)
        return rang

    assert all(simulate(main, seed=seed) == [1, 2, 2.5, 3] for seed in range(10))


def test_a_deadlock_names_who_waits_and_where() -> None:
    async def stuck() -> None:
        await asyncio.get_running_loop().create_future()

    async def main() -> None:
        await asyncio.create_task(stuck(), name="philosopher")

    with pytest.raises(
        Deadlock, match=r"(?s)^at 0 s nothing is ready.*philosopher in .*stuck \(.*test_simulation"
    ) as it:
        simulate(main)
    assert len(it.value.waiting) == 2


def test_what_never_ends_is_stopped() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110
            await asyncio.sleep(0)

    with pytest.raises(Overrun, match=r"^2000 steps \(the limit\)"):
        simulate(main, steps=2000)


def test_time_goes_on_while_something_spins() -> None:
    async def main() -> None:
        with anyio.move_on_after(5):
            while True:  # noqa: ASYNC110
                await asyncio.sleep(0)

    simulate(main)


def test_threads_that_only_call_are_run_on_the_loop() -> None:
    async def main() -> tuple[int, int]:
        me = threading.get_ident()
        return await asyncio.to_thread(threading.get_ident) - me, await anyio.to_thread.run_sync(
            threading.get_ident
        ) - me

    assert simulate(main, seed=3) == (0, 0)


@pytest.mark.parametrize(
    "error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()], ids=["error", "exit", "ctrl-c"]
)
def test_what_a_call_in_a_thread_raises_is_told_to_who_waits_for_it(error: BaseException) -> None:
    def fail() -> None:
        raise error

    async def main() -> BaseException | None:
        calling = asyncio.get_running_loop().run_in_executor(None, fail)
        await asyncio.wait({calling})
        return calling.exception()

    assert simulate(main) is error


@pytest.mark.parametrize("error", [SystemExit(3), StopIteration(3)], ids=["exit", "stop"])
@simulated(seeds=[0])
async def test_what_would_end_the_loop_comes_out_of_a_blocking_call_as_from_a_real_thread(error: BaseException) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(RuntimeError, match=r"^it raised (SystemExit|StopIteration): 3$") as raised:
        await in_thread("fails", fail)
    assert raised.value.__cause__ is error


def test_a_thread_is_refused() -> None:
    async def main() -> None:
        threading.Thread(target=print, name="worker").start()

    with pytest.raises(NotSimulated, match=r"^worker is a thread"):
        simulate(main)


def test_a_socket_is_refused() -> None:
    async def main() -> None:
        await asyncio.open_connection("127.0.0.1", 9)

    with pytest.raises(NotSimulated, match=r"^loop\.create_connection\(\) reaches outside"):
        simulate(main)


def test_what_a_callback_raises_fails_the_simulation() -> None:
    async def main() -> None:
        asyncio.get_running_loop().call_soon(int, "x")
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup, match=r"^raised in callbacks") as failed:
        simulate(main)
    assert [type(error) for error in failed.value.exceptions] == [ValueError]


def test_random_is_the_seeds_and_given_back() -> None:
    async def main() -> float:
        return random.random()

    before = random.getstate()

    assert simulate(main, seed=5) == simulate(main, seed=5) != simulate(main, seed=6)
    assert random.getstate() == before


def test_what_is_left_over_is_cancelled() -> None:
    ended: list[str] = []

    async def left() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append("left")

    async def main() -> None:
        task = asyncio.create_task(left())
        await asyncio.sleep(1)
        assert not task.done()

    simulate(main)

    assert ended == ["left"]


@simulated(seeds=range(5))
async def test_a_test_runs_in_simulated_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert monkeypatch is not None
    await asyncio.sleep(1e6)
    assert asyncio.get_running_loop().time() == 1e6


def test_a_failing_seed_is_named_and_replayed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    @simulated(seeds=range(50))
    async def broken() -> None:
        note: list[str] = []
        await three(note)
        seen.append("".join(note))
        assert all(one <= other for one, other in pairwise(note[:3]))

    monkeypatch.delenv("CHORAGUS_SEED", raising=False)
    with pytest.raises(AssertionError) as failed:
        broken()
    (note,) = failed.value.__notes__
    seed = note.split()[2].rstrip(";")
    assert note == f"with seed {seed}; replay it: CHORAGUS_SEED={seed} pytest -k broken"

    monkeypatch.setenv("CHORAGUS_SEED", seed)
    with pytest.raises(AssertionError):
        broken()
    assert seen[-1] == seen[-2]
