"""A world for the turn pipeline: durable actors that do what a message says, and a store that does its worst.

`Chaos` delays, fails and refuses at random; `Puppet` carries out a little program and writes down in its state what it
handled. What the host and the outside world see is compared with what was known to be committed at that moment.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence

import attrs
from attrs import define, field, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import AskFailed, Request
from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import CommitUnknown, StoreError
from choragus.mailbox.memory import MemoryStore
from choragus.mailbox.turn import Batch, Committed, Envelope, OnInterrupt, Rejected, Snapshot

Program = list[list[object]]


@stored("test.chaos.do")
@frozen
class Do(Request[str]):
    """Carry out the program, a JSON list of commands. `label`: of whom, and the how manieth to that receiver."""

    label: str
    program: str = "[]"


@stored("test.chaos.look")
@frozen
class Look(Request["Diary"]):
    pass


@stored("test.chaos.diary")
@define
class Diary:
    """What one puppet handled and sent, by the labels of the messages."""

    seen: list[str] = field(factory=list)
    told: list[str] = field(factory=list)
    asked: list[str] = field(factory=list)
    answered: list[str] = field(factory=list)
    intended: list[str] = field(factory=list)
    noted: list[str] = field(factory=list)
    dropped: list[str] = field(factory=list)
    open: str = ""
    counts: dict[str, int] = field(factory=dict)


@frozen
class Heard:
    label: str


class Ear(Actor[Heard]):
    """A volatile actor, that is: outside."""

    def __init__(self, world: World) -> None:
        self.world = world

    @handle
    def hear(self, message: Heard) -> None:
        self.world.heard[message.label] += 1
        self.world.check(message.label, "a tell to a volatile actor")


class World:
    """What can be seen from outside, and what was wrong about it."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.heard: Counter[str] = Counter()
        self.ran: Counter[str] = Counter()
        self.steps: Counter[str] = Counter()
        self.tries: Counter[str] = Counter()
        self.requeued: set[str] = set()
        self.wrong: list[str] = []
        self.ear: object = None

    def check(self, label: str, what: str) -> None:
        """What leaves for that label is out: was it committed?"""
        if label not in self.known:
            self.wrong.append(f"{what} left before {label} was on disk")

    async def note(self, request: object, context: EffectContext) -> str:
        """The runner of effects."""
        assert isinstance(request, Do)
        self.check(request.label, "an effect")
        self.ran[request.label] += 1
        await asyncio.sleep(random.choice([0, 0, 0.01, 1]))
        return request.label


class Puppet(DurableActor[Diary, Do | Look], name="test.chaos.puppet"):
    turn_timeout = 2.0

    @handle
    async def do(self, message: Do) -> str:
        commands = json.loads(message.program)
        if ["stash"] in commands and not self._world.tries[f"{message.label} stashed"]:
            self._set_aside(message)
            return ""
        self.state.seen.append(message.label)
        self.view("seen", message.label, {})
        for command in commands:
            await getattr(self, f"_{command[0]}")(message, *command[1:])
        return message.label

    @handle
    def look(self, message: Look) -> Diary:
        return self.state

    @reply
    def noted(self, message: object) -> None:
        self.state.noted.append(self.about)
        if message != self.about:
            self._world.wrong.append(f"the effect of {self.about} gave {message!r}")

    @reply
    def told(self, message: object) -> None:
        self.state.answered.append(self.about)
        if not isinstance(message, AskFailed) and message != self.about:
            self._world.wrong.append(f"the answer to {self.about} is {message!r}")

    @property
    def _world(self) -> World:
        assert isinstance(self.resources, World)
        return self.resources

    def _label(self, key: str) -> str:
        number = self.state.counts[key] = self.state.counts.get(key, 0) + 1
        return f"{self.key}>{key}>{number}"

    async def _tell(self, message: Do, key: str, program: Program) -> None:
        label = self._label(key)
        self.state.told.append(label)
        self.ref(Puppet, key).tell(Do(label, json.dumps(program)))

    async def _ask(self, message: Do, key: str, timeout: float, program: Program) -> None:
        label = self._label(key)
        self.state.told.append(label)
        self.state.asked.append(label)
        self.ask(self.ref(Puppet, key), Do(label, json.dumps(program)), then=self.told, about=label, timeout=timeout)

    async def _timer(self, message: Do, name: str, after: float, program: Program) -> None:
        self.timer(name, Do(f"timer{name} {self._label('timer')}", json.dumps(program)), after=after)

    async def _cancel(self, message: Do, name: str) -> None:
        self.cancel_timer(name)

    async def _ticker(self, message: Do, name: str, every: float, missed: str) -> None:
        if missed in ("once", "skip", "all"):
            self.ticker(name, Do(f"tick {name}", '[["count"]]'), every=every, missed=missed)  # type: ignore[arg-type]  # checked above

    async def _count(self, message: Do) -> None:
        self.state.seen.pop()

    async def _fail(self, message: Do, times: int) -> None:
        self._world.tries[message.label] += 1
        if self._world.tries[message.label] <= times:
            raise RuntimeError("no")

    async def _sleep(self, message: Do, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _deaf(self, message: Do, seconds: float) -> None:
        """Resist cancellation once."""
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(seconds)
            raise

    def _set_aside(self, message: Do) -> None:
        done = f"{message.label} stashed"
        self._draft.after_commit(lambda: self._world.tries.update([done]))  # type: ignore[union-attr]  # in a handler
        self.stash()

    async def _stash(self, message: Do) -> None:
        """Done already."""

    async def _unstash(self, message: Do) -> None:
        self.unstash_all()

    async def _fall(self, message: Do) -> None:
        if self.key in MORTAL:
            self.end()

    async def _committed(self, message: Do) -> None:
        before = self.state.seen[:-1]
        await self.committed()
        for label in before:
            if not label.startswith(("timer", "tick")):
                self._world.check(label, "committed()")

    async def _step(self, message: Do, seconds: float) -> None:
        before = self.state.seen[:-1]
        done = f"{message.label} step"

        async def call() -> str:
            for label in before:
                self._world.check(label, "a step")
            if seconds:
                await asyncio.sleep(seconds)
            self._world.steps[done] += 1
            return done

        if await self.step("step", call, on_interrupt=OnInterrupt.RERUN) != done:
            self._world.wrong.append(f"{done} gave something else")

    async def _effect(self, message: Do) -> None:
        self.state.intended.append(message.label)
        self.state.open = self.effect(
            "note", message, then=self.noted, on_interrupt=OnInterrupt.RERUN, about=message.label
        )

    async def _drop(self, message: Do) -> None:
        if self.state.open and self.state.intended:
            self.cancel_effect(self.state.open)
            self.state.dropped.append(self.state.intended[-1])

    async def _hear(self, message: Do) -> None:
        self._world.ear.tell(Heard(message.label))  # type: ignore[attr-defined]  # the ref of an Ear


class Chaos(MemoryStore):
    """Delays and failures of everything, and actors that are overtaken behind the system's back."""

    def __init__(self, world: World, *, harm: float) -> None:
        super().__init__()
        self.world = world
        self.harm = harm
        self.overtaken: set[ActorId] = set()
        self.unexplained: list[str] = []

    async def commit(self, batch: Batch) -> Committed | Rejected:
        await self._wait()
        fails = random.random() < self.harm / 3
        if fails and random.random() < 0.5:
            raise CommitUnknown("before")
        if not fails and batch.turns and random.random() < self.harm:
            self._overtake(random.choice(batch.turns).actor)
        result = await super().commit(batch)
        await self._wait()
        if fails:
            raise CommitUnknown("behind")
        if isinstance(result, Committed):
            self._learn(batch)
        else:
            first = next(turn for turn in batch.turns if turn.id in result.offenders)
            if first.actor not in self.overtaken:
                self.unexplained.append(f"{first.id} {result.offenders[first.id]} {first.consumed}")
        self.overtaken.clear()
        return result

    async def landed(self, batch: Batch) -> Committed | None:
        result = await super().landed(batch)
        if result is not None:
            self._learn(batch)
        return result

    async def load(self, actor: ActorId) -> Snapshot:
        await self._read()
        result = await super().load(actor)
        await self._read()
        return result

    async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
        await self._read()
        result = await super().fetch(actor, limit, now)
        await self._read()
        return result

    async def waiting(self, now: float) -> list[ActorId]:
        await self._read()
        return await super().waiting(now)

    async def reopen(self) -> None:
        await self._read()
        await super().reopen()

    def _overtake(self, actor: ActorId) -> None:
        snapshot = self._actors.get(actor)
        if snapshot is not None:
            self.overtaken.add(actor)
            self._actors[actor] = attrs.evolve(snapshot, revision=snapshot.revision + 1)

    def _learn(self, batch: Batch) -> None:
        for turn in batch.turns:
            for view in turn.views:
                self.world.known.add(view.key)

    async def _wait(self) -> None:
        if random.random() < 2 * self.harm:
            await asyncio.sleep(random.choice([0, 0, 0.001, 0.1]))

    async def _read(self) -> None:
        await self._wait()
        if random.random() < self.harm / 3:
            raise StoreError("the disk does not answer")


KEYS = ("a", "b", "c", "d")
MORTAL = ("e", "f")
KINDS = (
    *("tell", "tell", "tell", "tell", "ask", "ask", "timer", "cancel", "ticker", "fail", "sleep", "deaf"),
    *("stash", "unstash", "committed", "step", "effect", "effect", "drop", "hear", "end"),
)


def program(depth: int, keys: Sequence[str]) -> Program:
    """Some commands at random, each of those that are counted at most once."""
    commands = [_command(depth, keys) for _ in range(random.choice([0, 1, 1, 2, 3]))]
    counted = [one for one in commands if one[0] in ("step", "effect", "hear", "fail")]
    return [one for one in commands if one not in counted or next(two for two in counted if two[0] == one[0]) is one]


def _command(depth: int, keys: Sequence[str]) -> list[object]:
    key = random.choice(keys)
    name = random.choice("xy")
    within: Program = program(depth - 1, keys) if depth else []
    kind = random.choice(KINDS)
    if kind in ("tell", "ask", "timer") and not depth:
        return ["sleep", 0]
    match kind:
        case "tell":
            return ["tell", key, within]
        case "ask":
            return ["ask", key, random.choice([0.001, 0.05, 1, 20]), within]
        case "timer":
            plain = [one for one in within if one[0] not in ("step", "stash")]
            return ["timer", name, random.choice([0, 0, 0.001, 0.05, 3]), plain]
        case "cancel":
            return ["cancel", name]
        case "ticker":
            return ["ticker", f"t{name}", random.choice([0.3, 5]), random.choice(["once", "skip", "all"])]
        case "fail":
            return ["fail", random.choice([1, 1, 2, 9])]
        case "sleep":
            return ["sleep", random.choice([0, 0, 0.01, 1, 5])]
        case "deaf":
            return ["deaf", random.choice([0.01, 1, 5])]
        case "step":
            return ["step", random.choice([0, 0, 0.1])]
        case "end":
            return ["fall"] if random.random() < 0.3 else ["sleep", 0]
    return [kind]
