"""Keyed actors: started by their first message, stopped when idle, and nothing lost in between."""

from __future__ import annotations

import asyncio
import math
import random
from collections import Counter

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.errors import (
    ActorFailed,
    ActorStopped,
    AskInsideTurn,
    AskTimeout,
    Ignore,
    MailboxFull,
    NotActivated,
    SystemStopped,
    TooManyActive,
    Unhandled,
)
from choragus.actors.event import DeadLetter, Failed
from choragus.actors.message import Request
from choragus.actors.ref import Ref
from choragus.actors.testing.loop import SimulatedLoop, clock, settled
from choragus.actors.testing.simulation import simulated
from choragus.actors.topic import Topic
from choragus.mailbox.codec import stored
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.errors import AlreadyStarted, SpecFault
from choragus.supervision.keyed import Keyed
from choragus.supervision.strategy import OneForOne, Restart
from choragus.supervision.system import System
from choragus.supervision.testing.crash import watch

MANY = OneForOne(max_restarts=1000, within=60.0)


@stored("test.keyed.say")
@frozen
class Say(Request[int]):
    """Gives back how many the actor has heard since it was started."""

    text: str
    seconds: float = 0.0


@frozen
class Fail(Request[None]):
    pass


@frozen
class Leave(Request[None]):
    pass


@frozen
class Other:
    pass


class Story:
    """What happened, and how starting and stopping goes."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.heard: list[str] = []
        self.bad: Exception | None = None
        self.bad_init: Exception | None = None
        self.start = 0.0
        self.stop = 0.0
        self.alive = 0
        self.most = 0


class Session(Actor[Say | Fail | Leave]):
    def __init__(self, key: str, story: Story) -> None:
        if story.bad_init is not None:
            raise story.bad_init
        self.key = key
        self.story = story
        self.count = 0

    async def on_start(self) -> None:
        await asyncio.sleep(self.story.start)
        if self.story.bad is not None:
            raise self.story.bad
        self.story.alive += 1
        self.story.most = max(self.story.most, self.story.alive)
        self.story.lines.append(f"+{self.key}")

    async def on_stop(self) -> None:
        await asyncio.sleep(self.story.stop)
        self.story.alive -= 1
        self.story.lines.append(f"-{self.key}")

    @handle
    async def say(self, message: Say) -> int:
        if message.seconds:
            await asyncio.sleep(message.seconds)
        self.count += 1
        self.story.heard.append(message.text)
        return self.count

    @handle
    def fail(self, message: Fail) -> None:
        self.story.alive -= 1
        raise ValueError

    @handle
    def leave(self, message: Leave) -> None:
        self.stop()


def dead_letters(events: list[object]) -> list[object]:
    return [event.message for event in events if isinstance(event, DeadLetter)]


@simulated(seeds=range(4))
async def test_the_first_message_starts_it_and_idleness_stops_it() -> None:
    story = Story()
    async with System() as system:
        sessions = await system.keyed(Session, story, idle=300.0)
        alice = sessions.ref("alice")

        first = [await alice.ask(Say("a")), await alice.ask(Say("b"))]
        await asyncio.sleep(299)
        there = sessions.active
        await asyncio.sleep(2)

        assert (first, there, sessions.active) == ([1, 2], ("alice",), ())
        assert story.lines == ["+alice", "-alice"]
        assert await alice.ask(Say("c")) == 1
        assert system.find(Session, "Session/alice").path == alice.path


@simulated(seeds=range(4))
async def test_messages_at_the_same_time_start_it_once() -> None:
    story = Story()
    story.start = 1.0
    async with System() as system:
        alice = (await system.keyed(Session, story)).ref("alice")

        asked = [asyncio.create_task(alice.ask(Say("x"))) for _ in range(5)]
        alice.tell(Say("told"))
        sent = asyncio.create_task(alice.send(Say("sent")))
        counts = [await one for one in asked]
        await sent
        await settled()

        assert len(set(counts)) == 5
        assert story.lines == ["+alice"]
        assert Counter(story.heard) == {"x": 5, "told": 1, "sent": 1}


@simulated(seeds=range(30))
async def test_nothing_is_lost_doubled_or_overtaken_while_actors_come_and_go() -> None:
    """Senders pause for about as long as it takes to be passivated; stops and starts take time."""
    story = Story()
    story.start, story.stop = 0.3, 0.7
    sent: list[str] = []
    refused: list[str] = []

    async def say(ref: Ref[Say], text: str) -> None:
        match random.randrange(3):
            case 0:
                ref.tell(Say(text))
            case 1:
                await ref.send(Say(text))
            case _:
                await ref.ask(Say(text), timeout=60.0)

    async def sender(sessions: Keyed[Say | Fail | Leave], name: str) -> None:
        for number in range(25):
            ref = sessions.ref(random.choice("xyz"))
            text = f"{name}/{ref.path}/{number}"
            try:
                await say(ref, text)
                sent.append(text)
            except TooManyActive:
                refused.append(text)
            await asyncio.sleep(random.choice([0.0, 0.1, 0.9, 1.0, 1.0, 1.1, 1.7, 2.0, 3.0]))

    async with System() as system:
        events = watch(system)
        sessions = await system.keyed(Session, story, idle=1.0, most=2, shutdown=5.0)
        await asyncio.gather(*(sender(sessions, str(name)) for name in range(2)))
        await asyncio.sleep(60)

        assert sorted(story.heard) == sorted(sent)
        assert len(sent) > len(refused)
        for name in range(2):
            for key in "xyz":
                mine = [text for text in story.heard if text.startswith(f"{name}/Session/{key}/")]
                assert mine == sorted(mine, key=lambda text: int(text.rpartition("/")[2]))
        assert dead_letters([*events]) == []
        assert story.most <= 2
        assert story.lines.count("+x") == story.lines.count("-x") > 1
        assert len(sessions) == 0


@simulated(seeds=range(30))
async def test_every_message_has_an_addressee_while_actors_fail_end_and_cannot_be_started() -> None:
    """Told: heard, or a dead letter, or the one that it failed on. Asked: ends in time. Then all comes to rest."""
    story = Story()
    story.start, story.stop = 0.2, 0.3
    told: list[str] = []
    late: list[AskTimeout] = []
    temporary = random.random() < 0.5

    async def weather() -> None:
        for _ in range(20):
            await asyncio.sleep(random.random())
            story.bad = random.choice([None, None, ValueError("bad weather")])
        story.bad = None

    async def sender(sessions: Keyed[Say | Fail | Leave], name: str) -> None:
        for number in range(30):
            ref = sessions.ref(random.choice("xyz"))
            try:
                match random.randrange(5):
                    case 0:
                        await ref.ask(Fail(), timeout=20.0)
                    case 1:
                        await ref.ask(Leave(), timeout=20.0)
                    case 2:
                        await asyncio.wait_for(ref.ask(Say(""), timeout=20.0), random.choice([0.05, 0.4, 21.0]))
                    case _:
                        ref.tell(Say(f"{name}/{number}"))
                        told.append(f"{name}/{number}")
            except (NotActivated, ActorStopped, ActorFailed, TooManyActive):
                pass
            except AskTimeout as error:
                late.append(error)
            except TimeoutError:
                pass
            await asyncio.sleep(random.choice([0.0, 0.1, 0.5, 1.0, 1.3]))

    async with System() as system:
        events = watch(system)
        kind = Restart.TEMPORARY if temporary else Restart.TRANSIENT
        sessions = await system.keyed(
            Session, story, idle=1.0, most=2, restart=kind, strategy=OneForOne(10_000, within=1.0)
        )
        await asyncio.gather(weather(), *(sender(sessions, str(name)) for name in range(3)))
        await asyncio.sleep(60)

        lost = [message.text for message in dead_letters([*events]) if isinstance(message, Say)]
        assert sorted(text for text in [*story.heard, *lost] if text) == sorted(told)
        assert len(sessions) == 0
        assert system.supervisor("Session").children() == ()
        assert (late, story.most) == ([], 2)
        assert await asyncio.gather(*(sessions.ref(key).ask(Say("")) for key in "xy")) == [1, 1]


@simulated(seeds=range(10))
async def test_what_comes_while_it_goes_is_for_the_next_in_order() -> None:
    story = Story()
    story.stop = 2.0
    async with System() as system:
        sessions = await system.keyed(Session, story, idle=10.0)
        alice = sessions.ref("alice")
        await alice.ask(Say("before"))
        await asyncio.sleep(11)

        alice.tell(Say("1"))
        alice.tell(Say("2"))
        count = await alice.ask(Say("3"))

        assert (count, story.heard) == (3, ["before", "1", "2", "3"])
        assert story.lines == ["+alice", "-alice", "+alice"]


@pytest.mark.parametrize("where", ["bad", "bad_init"])
def test_one_that_cannot_be_started_fails_the_asker_and_the_next_tries_anew(where: str) -> None:
    @simulated(seeds=range(4))
    async def run() -> None:
        story = Story()
        setattr(story, where, ValueError("no database"))
        async with System() as system:
            events = watch(system)
            alice = (await system.keyed(Session, story)).ref("alice")
            alice.tell(Say("told"))
            with pytest.raises(NotActivated, match=r"^Session/alice could not be started: no database") as caught:
                await alice.ask(Say("asked"))
            with pytest.raises(NotActivated):
                await alice.send(Say("sent"))

            assert isinstance(caught.value.__cause__, ValueError)
            assert asyncio.get_running_loop().time() == 0.0
            assert dead_letters([*events]) == [Say("told")]
            assert {event.actor for event in events if isinstance(event, Failed)} == {"Session/alice"}
            setattr(story, where, None)
            assert await alice.ask(Say("again")) == 1

    run()


@simulated(seeds=range(4))
async def test_a_failed_start_takes_no_place() -> None:
    story = Story()
    story.bad = ValueError("no database")
    async with System() as system:
        sessions = await system.keyed(Session, story, most=1)
        for key in "abc":
            with pytest.raises(NotActivated):
                await sessions.ref(key).ask(Say("x"))
        story.bad = None

        assert await sessions.ref("d").ask(Say("x")) == 1


@simulated(seeds=range(10))
async def test_those_who_wait_for_a_start_and_what_was_told_keep_their_order() -> None:
    story = Story()
    story.start = 1.0
    async with System() as system:
        alice = (await system.keyed(Session, story)).ref("alice")
        asked: list[asyncio.Task[object]] = []
        for number in range(0, 9, 3):
            asked.append(asyncio.create_task(alice.ask(Say(str(number)))))
            await settled()
            alice.tell(Say(str(number + 1)))
            asked.append(asyncio.create_task(alice.send(Say(str(number + 2)))))
            await settled()

        await asyncio.gather(*asked)
        await settled()

        assert story.heard == [str(number) for number in range(9)]


@simulated(seeds=range(10))
async def test_what_still_waits_for_room_when_it_ends_is_for_the_next() -> None:
    story = Story()
    story.start = 1.0
    async with System() as system:
        events = watch(system)
        alice = (await system.keyed(Session, story, mailbox=1, shutdown=60.0)).ref("alice")
        for text in "ab":
            sending = asyncio.create_task(alice.send(Say(text, seconds=5.0)))
            await settled()
        alice.tell(Say("c"))
        await sending
        await asyncio.sleep(1)

        await system.supervisor("Session").stop_child("alice")
        await asyncio.sleep(10)

        refused = [message.text for message in dead_letters([*events]) if isinstance(message, Say)]
        assert sorted([*story.heard, *refused]) == ["a", "b", "c"]
        assert "c" in story.heard


class Brief(Actor[Leave]):
    starts = 0

    def __init__(self, key: str) -> None:
        Brief.starts += 1

    @handle
    def leave(self, message: Leave) -> None:
        self.stop()


@simulated(seeds=range(20))
async def test_one_that_ends_at_its_first_message_is_not_started_again_for_nothing() -> None:
    Brief.starts = 0
    async with System() as system:
        brief = await system.keyed(Brief)

        await brief.ref("a").ask(Leave())
        await settled()

        assert (Brief.starts, len(brief)) == (1, 0)


@simulated(seeds=[0])
async def test_one_that_ignores_its_start_is_not_there() -> None:
    story = Story()
    story.bad = Ignore()
    async with System() as system:
        sessions = await system.keyed(Session, story)

        with pytest.raises(NotActivated, match=r"does not want to run"):
            await sessions.ref("alice").ask(Say("x"))

        assert len(sessions) == 0


@simulated(seeds=range(4))
async def test_a_crash_is_a_restart_and_the_mail_is_kept() -> None:
    story = Story()
    async with System() as system:
        alice = (await system.keyed(Session, story, strategy=MANY)).ref("alice")
        await alice.ask(Say("x"))

        alice.tell(Fail())
        alice.tell(Say("y"))

        assert await alice.ask(Say("z")) == 2
        assert story.lines == ["+alice", "+alice"]


@simulated(seeds=range(4))
async def test_a_temporary_one_is_gone_after_a_failure_and_started_anew() -> None:
    story = Story()
    async with System() as system:
        sessions = await system.keyed(Session, story, restart=Restart.TEMPORARY, strategy=OneForOne(max_restarts=0))
        alice = sessions.ref("alice")
        for _ in range(5):
            with pytest.raises(ActorFailed):
                await alice.ask(Fail())
            await settled()
            assert await alice.ask(Say("x")) == 1


@simulated(seeds=range(10))
async def test_one_that_ends_itself_is_started_by_the_next_message() -> None:
    story = Story()
    story.stop = 1.0
    async with System() as system:
        alice = (await system.keyed(Session, story, most=1)).ref("alice")
        await alice.ask(Leave())

        alice.tell(Say("1"))

        assert await alice.ask(Say("2")) == 2
        assert story.lines == ["+alice", "-alice", "+alice"]


@simulated(seeds=range(10))
async def test_one_more_than_allowed_stops_the_longest_idle_first() -> None:
    story = Story()
    story.stop = 1.0
    async with System() as system:
        sessions = await system.keyed(Session, story, most=2)
        for key in ("a", "b", "a"):
            await sessions.ref(key).ask(Say("x"))
            await settled()

        await sessions.ref("c").ask(Say("x"))

        assert story.lines == ["+a", "+b", "-b", "+c"]
        assert story.most == 2


@simulated(seeds=range(10))
async def test_when_all_are_busy_one_more_is_refused_at_the_call() -> None:
    story = Story()
    async with System() as system:
        sessions = await system.keyed(Session, story, most=2)
        busy = [asyncio.create_task(sessions.ref(key).ask(Say("x", seconds=5.0))) for key in "ab"]
        await settled()

        with pytest.raises(TooManyActive, match=r"^Session/c cannot be started: 2 are active and busy \(most=2\)"):
            sessions.ref("c").tell(Say("x"))
        with pytest.raises(TooManyActive):
            await sessions.ref("c").ask(Say("x"))

        await asyncio.gather(*busy)
        assert await sessions.ref("c").ask(Say("x")) == 1


@simulated(seeds=range(10))
async def test_the_place_of_one_that_goes_can_be_taken_and_it_must_find_another_to_come_back() -> None:
    story = Story()
    story.stop = 1.0
    async with System() as system:
        sessions = await system.keyed(Session, story, most=1)
        await sessions.ref("a").ask(Say("a"))
        await settled()
        sessions.ref("b").tell(Say("b"))

        with pytest.raises(TooManyActive):
            sessions.ref("a").tell(Say("a"))
        await asyncio.sleep(5)

        assert await sessions.ref("a").ask(Say("a")) == 1
        assert story.most == 1


@simulated(seeds=range(4))
async def test_while_it_is_being_started_its_mailbox_limit_holds_and_send_waits() -> None:
    story = Story()
    story.start = 50.0
    async with System() as system:
        alice = (await system.keyed(Session, story, mailbox=2)).ref("alice")
        alice.tell(Say("1"))
        alice.tell(Say("2"))

        with pytest.raises(MailboxFull, match=r"^Session/alice is being started, with 2 messages waiting"):
            alice.tell(Say("3"))
        with pytest.raises(MailboxFull):
            await alice.ask(Say("3"))
        await asyncio.gather(*(alice.send(Say("sent")) for _ in range(5)))
        await settled()

        assert story.heard == ["1", "2"] + ["sent"] * 5


@simulated(seeds=range(4))
async def test_an_ask_does_not_wait_longer_than_its_timeout_for_a_start() -> None:
    story = Story()
    story.start = 3600.0
    async with System() as system:
        alice = (await system.keyed(Session, story, mailbox=1, startup=math.inf)).ref("alice")
        for _ in range(3):
            with pytest.raises(AskTimeout, match=r"^Session/alice was not there to answer Say within 5 s"):
                await alice.ask(Say("late"), timeout=5.0)
        alice.tell(Say("told"))
        await asyncio.sleep(3600)

        assert story.heard == ["told"]


@simulated(seeds=range(15))
async def test_whoever_gives_up_while_waiting_lets_those_behind_him_through() -> None:
    story = Story()
    story.start = 1.0
    async with System() as system:
        alice = (await system.keyed(Session, story)).ref("alice")
        asked = [asyncio.create_task(alice.ask(Say(str(number)), timeout=9.0)) for number in range(8)]
        await asyncio.sleep(random.choice([0.5, 1.0]))
        for one in random.sample(asked, 4):
            one.cancel()

        ends = await asyncio.gather(*asked, return_exceptions=True)

        assert all(isinstance(end, int | asyncio.CancelledError) for end in ends)
        assert await alice.ask(Say("after"), timeout=1.0) > 0


@simulated(seeds=range(4))
async def test_the_end_of_the_system_fails_those_who_wait_at_once() -> None:
    story = Story()
    story.start = 3600.0
    async with System() as system:
        events = watch(system)
        alice = (await system.keyed(Session, story)).ref("alice")
        alice.tell(Say("told"))
        waiting = [asyncio.create_task(alice.send(Say("sent"))), asyncio.create_task(alice.ask(Say("asked")))]
        await settled()

    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [ActorStopped, ActorStopped]
    alice.tell(Say("late"))
    assert dead_letters([*events]) == [Say("told"), Say("late")]
    with pytest.raises(SystemStopped):
        await alice.ask(Say("late"))
    with pytest.raises(SystemStopped):
        await alice.send(Say("late"))


@simulated(seeds=range(10))
async def test_the_end_of_the_system_while_one_goes_leaves_nobody_waiting() -> None:
    story = Story()
    story.stop = 3.0
    async with System() as system:
        alice = (await system.keyed(Session, story, idle=10.0)).ref("alice")
        await alice.ask(Say("x"))
        await asyncio.sleep(10.5)
        waiting = [asyncio.create_task(alice.send(Say("sent"))), asyncio.create_task(alice.ask(Say("asked")))]
        await settled()

    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(end, ActorStopped) for end in ends)


@simulated(seeds=range(4))
async def test_its_refs_outlive_a_supervisor_that_gave_up() -> None:
    story = Story()
    async with System() as system:
        alice = (await system.keyed(Session, story, strategy=OneForOne(max_restarts=0))).ref("alice")
        with pytest.raises(ActorFailed):
            await alice.ask(Fail())
        await settled()

        assert await alice.ask(Say("x")) == 1


@simulated(seeds=[0])
async def test_there_is_one_timer_for_all_and_none_while_none_is_active() -> None:
    story = Story()
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedLoop)

    def timers() -> int:
        return sum(not timer.cancelled() for timer in loop._scheduled)

    async with System() as system:
        sessions = await system.keyed(Session, story, idle=100.0)
        for number in range(50):
            sessions.ref(f"key-{number}").tell(Say("x"))
        await settled()
        assert (len(sessions), timers()) == (50, 1)

        await asyncio.sleep(101)

        assert (len(sessions), timers()) == (0, 0)


@simulated(seeds=range(4))
async def test_one_that_is_busy_is_not_idle() -> None:
    story = Story()
    async with System() as system:
        alice = (await system.keyed(Session, story, idle=10.0)).ref("alice")

        assert await alice.ask(Say("long", seconds=35.0), timeout=60.0) == 1
        assert await alice.ask(Say("x")) == 2


@frozen
class Begin:
    how: str


class Waiter(Actor[Begin]):
    def __init__(self, key: str) -> None:
        self.done = 0

    @handle
    def begin(self, message: Begin) -> None:
        if message.how == "stash":
            self.stash()
        if message.how == "pipe":
            self.pipe_to_self(asyncio.sleep(100.0), lambda _: Begin("done"))


@pytest.mark.parametrize(("how", "there"), [("stash", True), ("pipe", True), ("plain", False)])
def test_one_that_has_set_mail_aside_or_awaits_a_result_is_not_idle(how: str, there: bool) -> None:
    @simulated(seeds=range(3))
    async def run() -> None:
        async with System() as system:
            waiters = await system.keyed(Waiter, idle=10.0)
            waiters.ref("a").tell(Begin(how))

            await asyncio.sleep(50)

            assert (waiters.active == ("a",)) is there

    run()


@simulated(seeds=[0])
async def test_keys_and_names() -> None:
    async with System() as system:
        sessions = await system.keyed(Session, Story(), name="sessions")
        ref = sessions.ref("a/b%2F")

        assert await ref.ask(Say("x")) == 1
        assert ref.path == "sessions/a%2Fb%252F"
        assert system.find(Session, ref.path).path == ref.path
        assert {ref, sessions.ref("a/b%2F")} == {ref}
        assert sessions.ref("b") != ref
        with pytest.raises(ValueError, match=r"^'' is no key for sessions: use any text"):
            sessions.ref("")
        with pytest.raises(AlreadyStarted):
            await system.keyed(Session, Story(), name="sessions")


@simulated(seeds=[0])
async def test_bad_arguments_are_refused_at_the_call() -> None:
    async with System() as system:
        with pytest.raises(SpecFault, match=r"^keyed Session: idle=0 must be seconds above 0"):
            await system.keyed(Session, idle=0)
        with pytest.raises(SpecFault, match=r"^keyed Session: most=0 must be a whole number"):
            await system.keyed(Session, most=0)
        with pytest.raises(SpecFault, match=r"^mailbox=0: .* it must be a whole number, 1 or more"):
            await system.keyed(Session, mailbox=0)
        alice = (await system.keyed(Session, Story())).ref("alice")
        with pytest.raises(Unhandled, match=r"^Session/alice has no handler for Other"):
            alice.tell(Other())  # type: ignore[arg-type]  # that is the point
        with pytest.raises(ValueError, match=r"^timeout=0 for asking Session/alice"):
            await alice.ask(Say("x"), timeout=0)
        with pytest.raises(ValueError, match=r"key='k' is for durable actors"):
            await alice.ask(Say("x"), key="k")


@simulated(seeds=[0])
async def test_a_keyed_ref_can_subscribe_and_be_registered() -> None:
    story = Story()
    async with System() as system:
        alice = (await system.keyed(Session, story)).ref("alice")
        topic = Topic(Say)
        topic.subscribe(alice)
        system.register("alice", alice)

        topic.publish(Say("x"))

        assert await system.whereis(Session, "alice").ask(Say("y")) == 2


@stored("test.keyed.nothing")
@define
class Nothing:
    pass


class Clerk(DurableActor[Nothing, Say], name="test.keyed.clerk"):
    @handle
    async def say(self, message: Say) -> int:
        ref = self.resources
        assert isinstance(ref, list)
        ref[0].tell(message)
        if message.text == "fail":
            raise ValueError
        if message.text == "ask":
            with pytest.raises(AskInsideTurn):
                await ref[0].ask(message)
        return 0


@simulated(seeds=range(5))
async def test_inside_a_turn_it_is_told_with_the_turn_or_not_at_all() -> None:
    story = Story()
    refs: list[object] = []
    async with System(store=MemoryStore(), actors=[Clerk], clock=clock, resources=refs) as system:
        refs.append((await system.keyed(Session, story)).ref("alice"))
        clerk = system.ref(Clerk, "a")

        clerk.tell(Say("fail"))
        await asyncio.sleep(1)
        assert story.heard == []
        other = system.ref(Clerk, "b")
        await other.ask(Say("ask"))
        await asyncio.sleep(0.01)

        assert story.heard == ["ask"]
