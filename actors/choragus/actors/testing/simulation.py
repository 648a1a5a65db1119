"""Running a coroutine, or a test, in simulated time."""

from __future__ import annotations

import asyncio
import functools
import os
import random
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import ParamSpec, TypeVar

import anyio.to_thread

from .errors import Deadlock, NotSimulated, Overrun
from .loop import STEPS, SimulatedLoop

P = ParamSpec("P")
T = TypeVar("T")

SEED = "CHORAGUS_SEED"
"""The environment variable that names the one seed to run."""

LEFT = 100_000
"""Steps that tasks have to end when the simulation is over."""


def simulate(main: Callable[[], Coroutine[object, object, T]], *, seed: int = 0, steps: int = STEPS) -> T:
    """Run `main()` on a SimulatedLoop and give back its result; as asyncio.run, it then cancels what is left over.

    `random` is seeded for as long as it runs. `anyio.to_thread.run_sync` and `asyncio.to_thread` call the function on
    the loop; any other thread raises NotSimulated.

    >>> async def nap() -> float:
    ...     await asyncio.sleep(3600)
    ...     return asyncio.get_running_loop().time()
    >>> simulate(nap)
    3600.0

    Args:
        seed: which interleaving; 0 is asyncio's own.
        steps: callbacks after which Overrun is raised.

    Raises:
        Deadlock: when nothing is ready and no timer is set.
        Overrun: when it takes more steps.
        ExceptionGroup: when `main` is through, but a callback or a task that nobody looked at raised.
    """
    loop = SimulatedLoop(seed, steps=steps)
    with _alone(), _seeded(seed):
        try:
            result = loop.run_until_complete(main())
        finally:
            _end(loop)
    if loop.failures:
        raise BaseExceptionGroup("raised in callbacks, or in tasks that nobody looked at", loop.failures)
    return result


def simulated(
    *, seeds: Iterable[int] = range(10), steps: int = STEPS
) -> Callable[[Callable[P, Coroutine[object, object, None]]], Callable[P, None]]:
    """Run an async test once for each seed, in simulated time.

    A failure names its seed and how to replay it: with `CHORAGUS_SEED=17` in the environment only seed 17 runs.
    Fixtures are made once for all seeds: what a run changes it should build itself.
    """
    chosen = tuple(seeds)

    def decorate(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
        @functools.wraps(test)
        def run(*args: P.args, **kwargs: P.kwargs) -> None:
            for seed in _only() or chosen:
                try:
                    simulate(lambda: test(*args, **kwargs), seed=seed, steps=steps)
                except BaseException as error:
                    error.add_note(f"with seed {seed}; replay it: {SEED}={seed} pytest -k {test.__name__}")
                    raise

        return run

    return decorate


def _only() -> tuple[int, ...]:
    given = os.environ.get(SEED, "")
    return (int(given),) if given else ()


def _end(loop: SimulatedLoop) -> None:
    """Cancel what is left, give it some steps, and close; what resists is left behind."""
    loop.grant(LEFT)
    left = asyncio.all_tasks(loop)
    for task in sorted(left, key=lambda task: task.get_name()):
        task.cancel()
    try:
        with suppress(Deadlock, Overrun):
            if left:
                loop.run_until_complete(_all(left))
            loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


async def _all(tasks: set[asyncio.Task[object]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)


@contextmanager
def _alone() -> Iterator[None]:
    """No thread is started from a simulated loop; anyio's calls in threads are made on the loop."""
    start, run_sync = threading.Thread.start, anyio.to_thread.run_sync

    def refuse(thread: threading.Thread) -> None:
        if isinstance(asyncio._get_running_loop(), SimulatedLoop):
            raise NotSimulated(f"{thread.name} is a thread: inside a simulation nothing may run beside the loop")
        start(thread)

    async def inline(function: Callable[..., object], *args: object, **options: object) -> object:
        if not isinstance(asyncio._get_running_loop(), SimulatedLoop):
            return await run_sync(function, *args, **options)  # type: ignore[arg-type]  # its options, as they are
        await asyncio.sleep(0)
        return function(*args)

    # Both are looked up at each call, and both fall back to the real ones outside a simulation.
    setattr(threading.Thread, "start", refuse)  # noqa: B010  # a method is no assignable name to mypy
    setattr(anyio.to_thread, "run_sync", inline)  # noqa: B010
    try:
        yield
    finally:
        setattr(threading.Thread, "start", start)  # noqa: B010
        setattr(anyio.to_thread, "run_sync", run_sync)  # noqa: B010
