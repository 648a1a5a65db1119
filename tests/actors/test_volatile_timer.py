"""R43: timers of volatile actors die with their incarnation, and are what they were last set to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.event import Failed
from choragus.actors.mailbox import Mailbox
from choragus.actors.testing import clock, settled, simulated
from choragus.actors.testing.loop import SimulatedLoop
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

MANY = OneForOne(max_restarts=100, within=600.0)

Seen = list[tuple[float, str]]


@frozen
class Ring:
    name: str = ""


@frozen
class Do:
    """Call this with the actor, in its handler."""

    what: Callable[[Clock], None]


@frozen
class Hold:
    """Be busy for so many seconds, then fail or not."""

    seconds: float
    fails: bool = False


class Clock(Actor[Ring | Do | Hold]):
    def __init__(self, seen: Seen, breaks: str = "") -> None:
        self.seen = seen
        self.breaks = breaks

    @handle
    def ring(self, message: Ring) -> None:
        self.seen.append((asyncio.get_running_loop().time(), message.name))
        if message.name == self.breaks:
            raise RuntimeError("rang")

    @handle
    def do(self, message: Do) -> None:
        message.what(self)

    @handle
    async def hold(self, message: Hold) -> None:
        await asyncio.sleep(message.seconds)
        if message.fails:
            raise RuntimeError("no")


async def run(*messages: Do | Hold, until: float = 100.0, limit: int = 10_000, breaks: str = "-") -> Seen:
    """What a clock that gets these messages rings, in so many seconds."""
    seen: Seen = []
    child = Child(Clock, name="clock", args=(seen, breaks), mailbox=Mailbox(limit=limit))
    async with System(tree=Supervisor(name="top", strategy=MANY, children=[child]), clock=clock) as system:
        for message in messages:
            system.find(Clock, "top/clock").tell(message)
        await asyncio.sleep(until)
    return seen


def timer(name: str, after: float, says: str = "") -> Do:
    return Do(lambda actor: actor.timer(name, Ring(says or name), after=after))


def ticker(name: str, every: float, after: float | None = None) -> Do:
    return Do(lambda actor: actor.ticker(name, Ring(name), every=every, after=after))


def cancel(name: str) -> Do:
    return Do(lambda actor: actor.cancel_timer(name))


@simulated(seeds=range(5))
async def test_timers_ring_once_each_at_their_time() -> None:
    assert await run(timer("b", 2), timer("a", 1), timer("now", 0)) == [(0, "now"), (1, "a"), (2, "b")]


@simulated(seeds=range(5))
async def test_a_timer_set_again_is_replaced() -> None:
    assert await run(timer("a", 1, "old"), timer("a", 5, "new")) == [(5, "new")]


@simulated(seeds=range(5))
async def test_a_timer_set_again_replaces_one_that_has_rung_and_waits() -> None:
    assert await run(timer("a", 1, "old"), Hold(2), timer("a", 5, "new")) == [(7, "new")]


@simulated(seeds=range(5))
async def test_a_timer_that_is_cancelled_does_not_ring() -> None:
    assert await run(timer("a", 1), ticker("b", 1), cancel("a"), cancel("b"), cancel("none")) == []


@simulated(seeds=range(5))
async def test_a_timer_that_has_rung_and_waits_can_be_cancelled() -> None:
    """The ring waits behind the cancellation, which came before it."""
    assert await run(timer("a", 1), ticker("b", 1), Hold(2), cancel("a"), cancel("b")) == []


@simulated(seeds=range(5))
async def test_r43_a_timer_of_the_old_incarnation_never_rings() -> None:
    assert await run(timer("a", 1), ticker("b", 1), Hold(0.5, fails=True)) == []


@simulated(seeds=range(5))
async def test_r43_a_ring_that_waits_is_not_for_the_next_incarnation() -> None:
    assert await run(timer("a", 1), ticker("b", 1), Hold(2, fails=True)) == []


@simulated(seeds=range(5))
async def test_r43_a_timer_of_the_same_name_in_the_next_incarnation_is_another() -> None:
    assert await run(timer("a", 1, "old"), Hold(2, fails=True), timer("a", 3, "new")) == [(5, "new")]


@simulated(seeds=range(5))
async def test_r43_what_an_old_incarnation_left_behind_sets_no_timer_in_the_next() -> None:
    errors: list[str] = []

    def leave_behind(actor: Clock) -> None:
        async def later() -> None:
            await asyncio.sleep(1)
            with pytest.raises(
                RuntimeError, match=r"^top/clock cannot set this timer: this incarnation of it is over$"
            ):
                actor.timer("late", Ring("late"), after=1)
            errors.append("refused")

        background.append(asyncio.ensure_future(later()))

    background: list[asyncio.Task[None]] = []

    assert await run(Do(leave_behind), Hold(0.5, fails=True)) == []
    assert errors == ["refused"]


@simulated(seeds=range(5))
async def test_r43_no_timer_rings_after_the_end() -> None:
    assert await run(timer("a", 1), ticker("b", 1), Do(lambda actor: actor.stop()), until=0.5) == []


@simulated(seeds=range(5))
async def test_a_ticker_keeps_its_beat() -> None:
    seen = await run(ticker("t", 2.0, after=0.5), Hold(0.0), until=9)

    assert [at for at, _ in seen] == [0.5, 2.5, 4.5, 6.5, 8.5]


@simulated(seeds=range(5))
async def test_the_ticks_of_a_busy_actor_do_not_pile_up() -> None:
    seen = await run(ticker("t", 1.0), Hold(4.5), until=6.2)

    assert [at for at, _ in seen] == [4.5, 5, 6]


@simulated(seeds=range(3))
async def test_the_beats_that_a_blocked_loop_missed_are_left_out() -> None:
    seen: Seen = []

    def block(actor: Clock) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, SimulatedLoop)
        loop._now += 10.5

    async with System(clock=clock) as system:
        actor = await system.spawn(Clock, seen)
        actor.tell(ticker("t", 1.0))
        actor.tell(Do(block))
        await asyncio.sleep(12.2)

    assert [at for at, _ in seen] == [10.5, 11, 12]


@simulated(seeds=range(5))
async def test_a_handler_that_fails_on_a_tick_is_restarted_without_the_ticker() -> None:
    assert await run(ticker("t", 1.0), breaks="t") == [(1, "t")]


@simulated(seeds=range(3))
async def test_a_failure_on_a_tick_names_the_timer() -> None:
    failed: list[str] = []
    async with System(clock=clock) as system:
        system.events.subscribe(lambda event: failed.append(event.message), Failed)
        (await system.spawn(Clock, [], "t")).tell(ticker("t", 1.0))
        await asyncio.sleep(1.5)

    assert failed == ["t"]


@simulated(seeds=range(5))
async def test_a_tick_finds_room_in_a_full_mailbox() -> None:
    seen = await run(timer("a", 1), Hold(2), limit=2, until=5)

    assert seen == [(2, "a")]


@simulated(seeds=range(3))
async def test_a_tick_finds_room_while_senders_have_none() -> None:
    seen: Seen = []
    async with System(clock=clock) as system:
        actor = await system.spawn(Clock, seen, mailbox=1)
        actor.tell(timer("a", 1))
        await settled()
        actor.tell(Hold(2))
        await settled()
        actor.tell(Hold(0))  # the one that has room
        await asyncio.sleep(5)

    assert seen == [(2, "a")]


@pytest.mark.parametrize("after", [-1.0, float("nan"), float("inf")])
@simulated(seeds=range(1))
async def test_a_timer_needs_a_time(after: float) -> None:
    said: list[str] = []

    def try_(actor: Clock) -> None:
        with pytest.raises(ValueError, match=r"^top/clock: timer 'a' after .* s: give seconds, 0 or more$") as refused:
            actor.timer("a", Ring(), after=after)
        with pytest.raises(ValueError, match=r"give seconds, 0 or more"):
            actor.ticker("a", Ring(), every=1.0, after=after)
        said.append(str(refused.value))

    await run(Do(try_))
    assert repr(after) in said[0]


@pytest.mark.parametrize("every", [0.0, -1.0, float("nan"), float("inf")])
@simulated(seeds=range(1))
async def test_a_ticker_needs_a_beat(every: float) -> None:
    said: list[str] = []

    def try_(actor: Clock) -> None:
        with pytest.raises(ValueError, match=r"^top/clock: timer 'a' every .* s: give seconds above 0$") as refused:
            actor.ticker("a", Ring(), every=every, after=1.0)
        said.append(str(refused.value))

    await run(Do(try_))
    assert repr(every) in said[0]


@simulated(seeds=range(1))
async def test_a_bad_time_leaves_the_timer_of_that_name_as_it_was() -> None:
    def try_(actor: Clock) -> None:
        with pytest.raises(ValueError, match="give seconds"):
            actor.timer("a", Ring("bad"), after=-1)

    assert await run(timer("a", 1), Do(try_)) == [(1, "a")]


@simulated(seeds=range(5))
async def test_r43_a_parents_restart_stops_its_children_first_and_waits_for_the_slow() -> None:
    events: list[str] = []

    class Slow(Clock):
        async def on_start(self) -> None:
            events.append(f"start {self.path} at {asyncio.get_running_loop().time():g}")
            self.timer("a", Ring("a"), after=2.5)

        async def on_stop(self) -> None:
            await asyncio.sleep(2)
            events.append(f"stopped {self.path} at {asyncio.get_running_loop().time():g}")

    seen: Seen = []
    inner = Supervisor(
        name="inner",
        strategy=OneForOne(max_restarts=0),
        children=[Child(Slow, name="one", args=(seen,)), Child(Clock, name="two", args=([], "t"))],
    )
    async with System(tree=Supervisor(name="top", strategy=MANY, children=[inner]), clock=clock) as system:
        await asyncio.sleep(1)
        system.find(Clock, "top/inner/two").tell(Ring("t"))
        await asyncio.sleep(3.5)
        first = tuple(events)

        assert first == ("start top/inner/one at 0", "stopped top/inner/one at 3", "start top/inner/one at 3")
        assert seen == []
        await asyncio.sleep(1.5)
        assert seen == [(5.5, "a")]
