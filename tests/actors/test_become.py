"""One actor object after the other behind the same ref."""

from __future__ import annotations

import asyncio
from typing import Never, cast

import pytest
from attrs import frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.errors import ActorFailed, ActorStopped, SystemStopped, Unhandled
from choragus.actors.event import DeadLetter, Failed
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing import clock, settled, simulated
from choragus.supervision.spec import Child, Supervisor
from choragus.supervision.strategy import OneForOne
from choragus.supervision.system import System

MANY = OneForOne(max_restarts=100, within=60.0)


@frozen
class Who(Request[str]):
    pass


@frozen
class Turn:
    to: Actor[Never] | None = None


@frozen
class Break:
    pass


@frozen
class Extra(Request[str]):
    pass


class First(Actor[Who | Turn | Break]):
    def __init__(self, stopped: list[str]) -> None:
        self.stopped = stopped

    async def on_stop(self) -> None:
        self.stopped.append("first")

    @handle
    def who(self, message: Who) -> str:
        return "first"

    @handle
    async def turn(self, message: Turn) -> None:
        await asyncio.sleep(1)
        self.become(message.to or Second(self.stopped))  # type: ignore[arg-type]  # tests say what they like
        await asyncio.sleep(1)

    @handle
    def fail(self, message: Break) -> None:
        raise RuntimeError("no")


class Second(First):
    async def on_start(self) -> None:
        raise AssertionError("it is not started")

    async def on_stop(self) -> None:
        self.stopped.append("second")

    @handle
    def who(self, message: Who) -> str:
        return f"{type(self).__name__.lower()} at {self.path}"


class More(Second, Actor[Who | Turn | Break | Extra]):
    @handle
    def extra(self, message: Extra) -> str:
        return "extra"


class Poor(Actor[Who]):
    @handle
    def who(self, message: Who) -> str:
        return "poor"


def tree(stopped: list[str]) -> Supervisor:
    return Supervisor(name="top", strategy=MANY, children=[Child(First, name="one", args=(stopped,))])


@simulated(seeds=range(5))
async def test_the_next_message_is_for_whom_it_has_become() -> None:
    async with System(tree=tree([]), clock=clock) as system:
        one = system.find(First, "top/one")
        before = one.ask(Who())
        one.tell(Turn())

        assert (await before, await one.ask(Who())) == ("first", "second at top/one")


@simulated(seeds=range(3))
async def test_its_refs_stay_and_it_is_still_found() -> None:
    async with System(tree=tree([]), clock=clock) as system:
        one = system.find(First, "top/one")
        one.tell(Turn())
        await one.ask(Who())

        assert system.find(First, "top/one") == one


@simulated(seeds=range(5))
async def test_a_restart_begins_again_with_the_first() -> None:
    async with System(tree=tree([]), clock=clock) as system:
        one = system.find(First, "top/one")
        for message in (Turn(), Break()):
            one.tell(message)

        assert await one.ask(Who()) == "first"
        assert system.find(First, "top/one") == one


@pytest.mark.parametrize(("turns", "stopped"), [(0, ["first"]), (1, ["second"])], ids=["first", "second"])
@simulated(seeds=range(3))
async def test_on_stop_is_that_of_whoever_is_in_charge(turns: int, stopped: list[str]) -> None:
    said: list[str] = []
    async with System(tree=tree(said), clock=clock) as system:
        one = system.find(First, "top/one")
        for _ in range(turns):
            one.tell(Turn())
        await one.ask(Who())

    assert said == stopped


@pytest.mark.parametrize(
    ("to", "error", "says"),
    [
        (Poor(), Unhandled, r"^Poor cannot take over top/one: it lacks handlers for \['Break', 'Turn'\]$"),
        ("nobody", TypeError, r"^top/one cannot become 'nobody': that is no actor object$"),
    ],
    ids=["poor", "no actor"],
)
@simulated(seeds=range(2))
async def test_whoever_cannot_take_over_is_refused(to: Actor[Never], error: type[Exception], says: str) -> None:
    async with System(tree=tree([]), clock=clock) as system:
        failed: list[BaseException] = []
        system.events.subscribe(lambda event: failed.append(event.error), Failed)
        system.find(First, "top/one").tell(Turn(to))
        await asyncio.sleep(2)

    with pytest.raises(error, match=says):
        raise failed[0]


@simulated(seeds=range(2))
async def test_an_object_that_another_has_become_is_refused() -> None:
    shared = Second([])
    async with System(tree=tree([]), clock=clock) as system:
        failed: list[str] = []
        system.events.subscribe(lambda event: failed.append(str(event.error)), Failed)
        system.find(First, "top/one").tell(Turn(shared))
        await asyncio.sleep(2)
        (await system.spawn(First, [], name="other")).tell(Turn(shared))
        await asyncio.sleep(2)

    assert failed == ["other cannot become an object that top/one has become: make another"]


@simulated(seeds=range(5))
async def test_it_may_become_another_in_its_on_start() -> None:
    class Late(First):
        async def on_start(self) -> None:
            self.become(Second(self.stopped))

    async with System(clock=clock) as system:
        late = await system.spawn(Late, [], name="late")

        assert await late.ask(Who()) == "second at late"


@simulated(seeds=range(3))
async def test_a_start_that_is_broken_off_stops_nobody_it_has_become() -> None:
    stopped: list[str] = []

    class Late(First):
        async def on_start(self) -> None:
            self.become(Second(self.stopped))
            await asyncio.sleep(100)

    async with System(clock=clock) as system:
        starting = asyncio.ensure_future(system.spawn(Late, stopped, name="late"))
        await settled()
        await system.supervisor().stop_child("late")
        with pytest.raises((ActorStopped, SystemStopped)):
            await starting

    assert stopped == []


@simulated(seeds=range(5))
async def test_mail_for_whom_it_had_become_is_turned_away_after_a_restart() -> None:
    """It must not fail the new incarnation, which has done nothing wrong."""
    async with System(tree=tree([]), clock=clock) as system:
        failed: list[BaseException] = []
        letters: list[object] = []
        system.events.subscribe(lambda event: failed.append(event.error), Failed)
        system.events.subscribe(lambda event: letters.append(event.message), DeadLetter)
        one = cast("Ref[Turn | Break | Extra | Who]", system.find(First, "top/one"))  # as it will be
        one.tell(Turn(More([])))
        await asyncio.sleep(5)
        one.tell(Break())
        one.tell(Extra())
        asking = one.ask(Extra())

        with pytest.raises(Unhandled, match=r"^top/one has no handler for Extra"):
            await asking
        assert (len(failed), letters) == (1, [Extra()])


# With stash: a connection that takes its time.


@frozen
class Opened:
    link: str


@frozen
class Send(Request[str]):
    text: str


class Connection(Actor[Opened | Send]):
    """Sets aside what comes before it is open."""

    async def on_start(self) -> None:
        self.timer("open", Opened("wire"), after=5)

    @handle
    def opened(self, message: Opened) -> None:
        self.become(Open(message.link))
        self.unstash_all()

    @handle
    def wait(self, message: Send) -> str:
        self.stash()
        return "never"


class Open(Actor[Opened | Send]):
    def __init__(self, link: str) -> None:
        self.link_name = link
        self.sent = 0

    @handle
    def opened(self, message: Opened) -> None:
        """It is open."""

    @handle
    def send(self, message: Send) -> str:
        self.sent += 1
        if message.text == "bad":
            raise RuntimeError("no")
        return f"{self.sent} {message.text} by {self.link_name}"


@simulated(seeds=range(5))
async def test_what_is_stashed_until_it_is_ready_is_handled_in_order_before_the_rest() -> None:
    async with System(clock=clock) as system:
        connection = await system.spawn(Connection)
        early = [connection.ask(Send(text)) for text in "abc"]
        await asyncio.sleep(4.9)
        early.append(connection.ask(Send("d")))

        texts = await asyncio.gather(*early)
        assert texts == [f"{n} {text} by wire" for n, text in enumerate("abcd", 1)]


@simulated(seeds=range(5))
async def test_who_was_ready_and_fails_gets_ready_again_before_it_goes_on() -> None:
    async with System(tree=Supervisor(name="top", strategy=MANY, children=[Child(Connection, name="c")])) as system:
        connection = system.find(Connection, "top/c")
        asks = [connection.ask(Send(text)) for text in ("a", "bad", "c")]

        with pytest.raises(ActorFailed):
            await asks[1]
        assert (await asks[0], await asks[2]) == ("1 a by wire", "1 c by wire")
        assert asyncio.get_running_loop().time() == 10
