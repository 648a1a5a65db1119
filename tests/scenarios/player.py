"""A durable actor that does what each message tells it: the programs of the system's model run on it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

import attrs
from attrs import define, frozen

from choragus.actors.beat import Missed
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import AskFailed, EffectFailed, EffectUnknown, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt

FOREVER = 99
"""As many failures as there are, until the outside mends it."""


@frozen
class Act:
    """One thing that a handler does: `verb`, and of the rest what the verb needs."""

    verb: str
    to: str = attrs.field(default="", kw_only=True)
    seconds: float = attrs.field(default=0.0, kw_only=True)
    times: int = attrs.field(default=0, kw_only=True)
    missed: Missed = attrs.field(default="once", kw_only=True)
    then: Script | None = attrs.field(default=None, kw_only=True)

    def __repr__(self) -> str:
        words = (self.verb, self.to, self.seconds or "", self.times or "", self.then or "")
        missed = self.missed if self.verb == "ticker" else ""
        return " ".join(str(word) for word in (*words, missed) if word)


@frozen
class Script:
    """What one message has its receiver do; the number tells it from all others of a program."""

    acts: tuple[Act, ...] = ()
    number: int = 0

    def __repr__(self) -> str:
        return f"{self.number}[{', '.join(map(repr, self.acts))}]"


def dumps(script: Script) -> str:
    """The script as JSON."""
    return json.dumps(attrs.asdict(script))


def loads(text: str) -> Script:
    """The script that `dumps` gave."""
    return _script(json.loads(text))


def _script(data: dict[str, object]) -> Script:
    acts = data["acts"]
    number = data["number"]
    assert isinstance(acts, list)
    assert isinstance(number, int)
    return Script(tuple(Act(**{**act, "then": act["then"] and _script(act["then"])}) for act in acts), number)


@stored("play.do")
@frozen
class Do(Request[int]):
    number: int
    script: str


@stored("play.work")
@frozen
class Work:
    number: int
    seconds: float


@stored("play.book")
@define
class Book:
    turns: int = 0
    is_open: bool = False
    did: list[str] = attrs.field(factory=list)


class Outside:
    """The world that no crash touches: which effects began, in which life, and how often a message has failed."""

    def __init__(self) -> None:
        self.life = 0
        self.kills_in: int | None = None
        self.die: Callable[[], None] = lambda: None
        self.began: list[tuple[int, str, int]] = []
        self.failures: Counter[int] = Counter()
        self.is_mended = False

    async def work(self, request: object, context: EffectContext) -> str:
        """An effect: it has happened when it begins, and takes a while."""
        assert isinstance(request, Work)
        self.began.append((request.number, context.id, self.life))
        if self.kills_in == 0:
            self.die()
        self.kills_in = self.kills_in and self.kills_in - 1
        await asyncio.sleep(request.seconds)
        return "done"

    def must_fail(self, number: int, times: int) -> bool:
        """Whether the message fails once more; counted."""
        if self.failures[number] >= times or (times >= FOREVER and self.is_mended):
            return False
        self.failures[number] += 1
        return True


class Player(DurableActor[Book, Do], name="play.player"):
    @property
    def stream(self) -> str:
        return f"play/{self.key}"

    @handle
    def do(self, message: Do) -> int:
        self.state.turns += 1
        for act in loads(message.script).acts:
            if act.verb == "stash" and not self.state.is_open:
                self.stash()
                return self._went_on("stashed", str(message.number))
            self._act(act, message.number)
        return self._went_on("did", str(message.number))

    @reply
    def answered(self, result: int | AskFailed) -> None:
        self.state.turns += 1
        self._went_on("answered", self.about, what="failed" if isinstance(result, AskFailed) else str(result))

    @reply
    def finished(self, result: str | EffectFailed | EffectUnknown) -> None:
        self.state.turns += 1
        self._went_on("finished", self.about, what=result if isinstance(result, str) else type(result).__name__)

    def _went_on(self, kind: str, number: str, **fields: object) -> int:
        self.state.did.append(f"{kind} {number}")
        self.log(kind, number=number, turns=self.state.turns, **fields)
        self.view("player", self.key, {"turns": self.state.turns})
        return self.state.turns

    def _act(self, act: Act, number: int) -> None:
        then = act.then or Script()
        message = Do(then.number, dumps(then))
        match act.verb:
            case "tell":
                self.ref(Player, act.to).tell(message)
            case "ask":
                about = str(then.number)
                self.ask(self.ref(Player, act.to), message, then=self.answered, about=about, timeout=act.seconds)
            case "timer":
                self.timer(act.to, message, after=act.seconds)
            case "ticker":
                self.ticker(act.to, message, every=act.seconds, missed=act.missed)
            case "cancel":
                self.cancel_timer(act.to)
            case "effect":
                work = Work(then.number, act.seconds)
                self.effect("work", work, then=self.finished, about=str(then.number), on_interrupt=OnInterrupt(act.to))
            case "open":
                self.state.is_open = True
                self.unstash_all()
            case "shut":
                self.state.is_open = False
            case "end":
                self.end()
            case "fail":
                outside = self.resources
                assert isinstance(outside, Outside)
                if outside.must_fail(number, act.times):
                    raise RuntimeError(f"fails {number}")
