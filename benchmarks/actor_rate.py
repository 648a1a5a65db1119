"""Volatile actors: what a message, a reply, a hop, a new actor and a restart cost, against hand-written mailboxes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
from benchmarks import workload
from benchmarks.crew import roomy, spawned, started
from benchmarks.figure import Figure, Section, cost, interleaved, rate
from benchmarks.handwritten import handwritten, leanest
from benchmarks.target import Target, at_least, at_most
from benchmarks.workload import CROWD, Hire

NOTES = (
    "the same steps on all sides, in turns, on asyncio's loop; every message is made when it is sent (attrs.define)",
    "deque + Event: a parked task per actor, a coroutine around each message, a new behaviour when a handler raises",
    "leanest loop: the same without that coroutine and without restarts; what nobody would call supervised",
    "tell: all told at once, until an ask behind them is answered (choragus's mailbox is given the room for it)",
    "ask: one after the other, choragus's with its 30 s timeout, the others without any",
    "spawn: start, one message told and handled, stopped; a choragus actor is also named, supervised and bounded",
    "crash to next answer: from telling it to crash until an ask is answered by the next incarnation, against an ask "
    "of deque + Event; both medians of single ones",
    "a ratio is the median over rounds; in brackets: what we should like to reach",
)


@attrs.frozen
class Contest:
    """One kind of work, how much of it, how choragus hires for it, and the least ratio."""

    name: str
    unit: str
    amount: int
    work: Callable[[Hire, int], Awaitable[float]]
    ours: Hire
    target: Target


CONTESTS = (
    Contest("tell", "messages/s", workload.TELLS, workload.tell, roomy, at_least(0.55, 0.8)),
    Contest("ask, one by one", "asks/s", workload.ASKS, workload.ask, spawned, at_least(0.85, 0.9)),
    Contest("ping-pong", "hops/s", workload.HOPS, workload.ping_pong, spawned, at_least(2.0)),
    Contest(f"ring of {CROWD:,}", "hops/s", workload.HOPS, workload.ring, spawned, at_least(2.0, 3.0)),
    Contest(f"ask {CROWD:,} at once", "asks/s", CROWD * workload.ROUNDS, workload.fan, spawned, at_least(1.3, 1.5)),
    Contest("spawn, tell, leave the System", "actors/s", workload.SPAWNS, workload.spawn, spawned, at_least(7.0)),
    Contest("start_child, tell, stop_child", "actors/s", workload.SPAWNS, workload.spawn, started, at_least(7.0)),
)
RESTART = at_most(2.0)


def section(quick: bool) -> Section:
    """Measure everything here: 3 rounds, or 7."""
    rounds = 3 if quick else 7
    figures = [measured(one, rounds) for one in CONTESTS]
    return Section("Volatile actors", "deque + Event", [*figures, restarts(rounds)], NOTES, "leanest loop")


def measured(contest: Contest, rounds: int) -> Figure:
    """All three sides."""

    def side(hire: Hire) -> Callable[[], float]:
        return lambda: run(contest.work, hire, contest.amount)

    ours, other, lean = interleaved(side(contest.ours), side(handwritten), side(leanest), rounds=rounds)
    return rate(contest.name, contest.unit, 1, ours, other, second=lean, target=contest.target)


def restarts(rounds: int) -> Figure:
    """From a crash to the next answer, against an ask."""
    ours, other = interleaved(
        lambda: run(workload.restart, started, workload.RESTARTS),
        lambda: run(workload.ask_median, handwritten, workload.ASKS // 4),
        rounds=rounds,
    )
    mine, theirs = [one * 1e6 for one in ours], [one * 1e6 for one in other]
    return cost("crash to next answer", "us", mine, theirs, target=RESTART)


def run(work: Callable[[Hire, int], Awaitable[float]], hire: Hire, amount: int) -> float:
    """One side in a loop of its own."""

    async def main() -> float:
        return await work(hire, amount)

    return asyncio.run(main())
