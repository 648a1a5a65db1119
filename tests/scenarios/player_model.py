"""What the players of a system may do: the rules of durable actors over lists in memory, checked by their logbook.

The logbook gives the order of the turns. For each line the model asks whether that turn was allowed now, and does what
its script says; where two senders race any order is allowed, and none else.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import floor

import attrs

from choragus.actors.beat import Missed

from .player import Act, Script

ATTEMPTS = 3
BLOCKED = 4.5
"""Seconds after a failure within which a player may wait for the next try."""
SLACK = 0.2
"""Seconds that anything due may be late: the system looks every 0.04 s."""


@attrs.define(eq=False)
class Mail:
    """A message on its way. `kind`: do, answered, finished; `maybe`: nobody was told that it is on disk."""

    kind: str
    number: int
    sender: str
    script: Script = Script()  # noqa: RUF009  # a frozen value
    ask: Ask | None = None
    maybe: bool = False
    key: str = ""
    timer: str = ""
    attempts: int = 0
    value: str = ""
    is_requeued: bool = False
    replies: list[object] = attrs.field(factory=list)


@attrs.define(eq=False)
class Ask:
    """A question that a player has open: whose, about what, until when."""

    asker: str
    number: int
    due: float


@attrs.define(eq=False)
class Timer:
    """A timer or ticker that is set; `mail` is what it rings with."""

    mail: Mail
    due: float
    origin: float = 0.0
    every: float = 0.0
    missed: Missed = "once"

    def beat(self, now: float) -> float:
        """The last beat that has come."""
        return self.origin + self.every * floor((now - self.origin) / self.every + 1e-9)

    def rung(self, now: float) -> Timer | None:
        """What follows on its ring: nothing, or the next beat."""
        if not self.every:
            return None
        due = self.due + self.every if self.missed == "all" else self.beat(now) + self.every
        mail = Mail("do", self.mail.number, self.mail.sender, self.mail.script)
        return attrs.evolve(self, mail=mail, due=due)


@attrs.define(eq=False)
class Intent:
    """An effect that is on disk and open."""

    actor: str
    number: int
    kind: str
    life: int


@attrs.define(eq=False)
class Actor:
    """One player as the rules have it."""

    turns: int = 0
    is_open: bool = False
    has_ended: bool = False
    did: list[str] = attrs.field(factory=list)
    channels: dict[str, list[Mail]] = attrs.field(factory=dict)
    front: list[Mail] = attrs.field(factory=list)
    stash: list[Mail] = attrs.field(factory=list)
    timers: dict[str, Timer] = attrs.field(factory=dict)
    asks: list[Ask] = attrs.field(factory=list)
    failed_at: float = -1e9

    def waiting(self) -> Iterator[Mail]:
        """All that waits to be handled, but for timers."""
        yield from self.front
        for channel in self.channels.values():
            yield from (mail for mail in channel if not mail.maybe)


class Broken(AssertionError):
    """A rule of durable actors does not hold."""


class Model:
    """The players, what is on its way to them, and what they have said."""

    def __init__(self) -> None:
        self.actors: dict[str, Actor] = {}
        self.parked: list[tuple[str, Mail]] = []
        self.intents: list[Intent] = []
        self.intended: dict[int, int] = {}
        self.kinds: dict[int, str] = {}
        self.keys: dict[tuple[str, str], list[Mail]] = {}
        self.life = 0
        self.opened_at = 0.0
        self.was_killed = False

    def actor(self, key: str) -> Actor:
        """The player of that key."""
        return self.actors.setdefault(key, Actor())

    # The host.

    def offer(self, to: str, script: Script, key: str = "") -> Mail:
        """The host sends; with a key that was used before it is the same message again, if that one came through."""
        mail = Mail("do", script.number, "host", script, key=key, maybe=True)
        same = self.keys.setdefault((to, key), []) if key else []
        if same and not same[0].maybe:
            return same[0]
        if same:
            mail.replies = same[0].replies
        same.append(mail)
        self._put(to, mail)
        return mail

    # Lines of the logbook.

    def take(self, key: str, kind: str, number: int, what: str, at: float) -> None:
        """One completed turn: was it allowed, and what does it change?"""
        actor = self.actor(key)
        mail = self._answer(actor, number, what, at) if kind == "answered" else self._next(key, kind, number, at)
        self._taken(actor, mail, at)
        actor.turns += 1
        actor.did.append(f"{kind} {number}")
        if kind == "finished":
            self._finish(key, number, what)
        elif kind in ("did", "stashed"):
            self._play(key, mail, kind, at)

    def fail(self, key: str, number: int, attempts: int, at: float) -> None:
        """A failed attempt."""
        mail = self._next(key, "did", number, at)
        self.hold(mail.attempts + 1 == attempts < ATTEMPTS, f"attempt {attempts} of {number} at {key}")
        self._reached(key, mail)
        mail.attempts = attempts
        self.actor(key).failed_at = at

    def park(self, key: str, kind: str, number: int, why: str, at: float) -> None:
        """A message set aside for good: the last attempt failed, or its receiver has ended."""
        actor = self.actor(key)
        if not actor.has_ended:
            mail = self._next(key, kind, number, at)
            self.hold(why.startswith(f"failed {ATTEMPTS} times") and mail.attempts == ATTEMPTS - 1, f"{why} at {key}")
        elif (again := self._again(actor, kind, number)) is not None:
            mail = again
        else:
            mail = self._expired(actor, number, at) if kind == "late" else self._next(key, kind, number, at)
        self._taken(actor, mail, at)
        if kind == "finished" and not mail.is_requeued:
            self._finish(key, number, "")
        self._reached(key, mail)
        mail.attempts = 0
        self.parked.append((key, mail))
        self._reply(key, mail, "failed")

    def requeue(self, key: str, number: int) -> None:
        """The host puts a parked message back, at the tail."""
        place = next(place for place, (to, mail) in enumerate(self.parked) if (to, mail.number) == (key, number))
        _, mail = self.parked.pop(place)
        mail.is_requeued = True
        timers = self.actor(key).timers
        if mail.timer and mail.timer not in timers:
            timers[mail.timer] = Timer(mail, 0.0)
        else:
            self._put(key, mail)

    # Lives.

    def reopened(self, now: float, *, clean: bool) -> None:
        """Another process has opened the file."""
        self.opened_at = now
        self.was_killed = self.was_killed or not clean
        for actor in self.actors.values():
            for timer in actor.timers.values():
                if timer.every and timer.missed == "skip" and timer.due < now and not self.was_killed:
                    timer.due = timer.beat(now) + timer.every

    def heard(self, sent: list[Mail]) -> None:
        """These are on disk: the host was told, or the system has come to rest."""
        for mail in sent:
            mail.maybe = False

    def rests(self, now: float) -> None:
        """The system has come to rest: all that is due and not held up has been handled."""
        for key, actor in self.actors.items():
            if actor.failed_at > now - BLOCKED:
                continue
            left = [str(mail.number) for mail in actor.waiting()]
            left += [
                f"{name}: {one.mail.number}" for name, one in actor.timers.items() if self._is_late(actor, one, now)
            ]
            left += [f"the end of ask {ask.number}" for ask in actor.asks if ask.due < now - SLACK]
            self.hold(not left, f"{key} has not handled {', '.join(left)}")

    def hold(self, holds: bool, what: str) -> None:
        """Raise Broken unless it holds."""
        if not holds:
            raise Broken(f"the model does not allow: {what}")

    # What follows from a turn.

    def _play(self, key: str, mail: Mail, kind: str, at: float) -> None:
        actor = self.actor(key)
        for act in mail.script.acts:
            if act.verb == "stash" and not actor.is_open:
                self.hold(kind == "stashed", f"{mail.number} at {key} was not set aside")
                self._reached(key, mail)
                actor.stash.append(mail)
                mail.sender = mail.timer = ""
                break
            self._act(key, act, at)
        else:
            self.hold(kind == "did", f"{mail.number} at {key} was set aside")
            self._reached(key, mail)
            self._reply(key, mail, str(actor.turns))
        if actor.has_ended:
            actor.front[:0], actor.stash = actor.stash, []
            actor.timers = {name: one for name, one in actor.timers.items() if not one.every}

    def _act(self, key: str, act: Act, at: float) -> None:
        actor = self.actor(key)
        then = act.then or Script()
        mail = Mail("do", then.number, key, then)
        match act.verb:
            case "tell":
                self._put(act.to, mail)
            case "ask":
                mail.ask = Ask(key, then.number, at + act.seconds)
                actor.asks.append(mail.ask)
                self._put(act.to, mail)
            case "timer":
                mail.timer = act.to
                actor.timers[act.to] = Timer(mail, at + act.seconds)
            case "ticker":
                due = at + act.seconds
                actor.timers[act.to] = Timer(mail, due, origin=due, every=act.seconds, missed=act.missed)
            case "cancel":
                actor.timers.pop(act.to, None)
            case "effect":
                self.intents.append(Intent(key, then.number, act.to, self.life))
                self.kinds[then.number] = act.to
                self.intended[then.number] = self.intended.get(then.number, 0) + 1
            case "open":
                actor.is_open = True
                actor.front[:0], actor.stash = actor.stash, []
            case "shut":
                actor.is_open = False
            case "end":
                actor.has_ended = True

    def _put(self, to: str, mail: Mail) -> None:
        self.actor(to).channels.setdefault(mail.sender, []).append(mail)

    def _reply(self, key: str, mail: Mail, value: str) -> None:
        mail.replies.append(value)
        if mail.ask is not None and mail.ask in (asks := self.actor(mail.ask.asker).asks):
            asks.remove(mail.ask)
            self._put(mail.ask.asker, Mail("answered", mail.number, key, value=value))

    def _finish(self, key: str, number: int, what: str) -> None:
        found = next((one for one in self.intents if (one.actor, one.number) == (key, number)), None)
        self.hold(found is not None, f"a result of effect {number} of {key}, which is not open")
        assert found is not None
        self.intents.remove(found)
        if what == "EffectUnknown":
            self.hold(found.kind == "unknown" and found.life < self.life, f"{what} for effect {number}: {found}")
        else:
            self.hold(what in ("done", ""), f"{what} for effect {number}")

    def _reached(self, key: str, mail: Mail) -> None:
        """The message is on disk: of those under one key it is the one, and what was offered before it came in time."""
        mail.maybe = False
        if mail.key:
            for other in self.keys[key, mail.key]:
                channel = self.actor(key).channels.get("host", [])
                if other is not mail and other in channel:
                    channel.remove(other)
            self.keys[key, mail.key] = [mail]

    # Which message is next.

    def _next(self, key: str, kind: str, number: int, at: float) -> Mail:
        """The message that may be handled now: the one taken up, the first of a sender, or a timer's that is due."""
        actor = self.actor(key)
        wanted = "do" if kind in ("did", "stashed") else kind
        if wanted == "finished":
            return Mail("finished", number, "")
        if actor.front:
            heads = actor.front[:1]
        else:
            heads = [mail for channel in actor.channels.values() for mail in self._heads(channel)]
        heads += [timer.mail for timer in actor.timers.values() if timer.due <= at + 1e-6]
        for mail in heads:
            if (mail.kind, mail.number) == (wanted, number):
                return mail
        allowed = ", ".join(f"{mail.kind} {mail.number}" for mail in heads)
        raise Broken(f"{key} {kind} {number} at {at}, where the model allows only: {allowed or 'nothing'}")

    def _again(self, actor: Actor, kind: str, number: int) -> Mail | None:
        """A result or an end of an ask that was parked before and put back."""
        mails = (mail for channel in actor.channels.values() for mail in channel if mail.is_requeued)
        return next((mail for mail in mails if (mail.kind, mail.number) == (kind, number)), None)

    def _heads(self, channel: list[Mail]) -> Iterator[Mail]:
        """The first message of a sender; those that a crash may have swallowed can be passed over."""
        for mail in channel:
            yield mail
            if not mail.maybe:
                return

    def _taken(self, actor: Actor, mail: Mail, at: float) -> None:
        if mail in actor.front:
            actor.front.remove(mail)
        for channel in actor.channels.values():
            if mail in channel:
                del channel[: channel.index(mail) + 1]
        for name, timer in tuple(actor.timers.items()):
            if timer.mail is mail:
                if timer.missed == "skip" and timer.every and not mail.attempts and not self.was_killed:
                    self.hold(timer.beat(at) >= self.opened_at, f"{mail.number} at {at}: a missed beat of a ticker")
                following = None if actor.has_ended else timer.rung(at)
                del actor.timers[name]
                if following is not None:
                    actor.timers[name] = following

    def _answer(self, actor: Actor, number: int, what: str, at: float) -> Mail:
        heads = actor.front[:1] or [channel[0] for channel in actor.channels.values() if channel]
        for mail in heads:
            if (mail.kind, mail.number, mail.value) == ("answered", number, what):
                return mail
        self.hold(what == "failed", f"the answer {what} to {number}")
        return self._expired(actor, number, at)

    def _expired(self, actor: Actor, number: int, at: float) -> Mail:
        for ask in actor.asks:
            if ask.number == number and ask.due <= at + 1e-6:
                actor.asks.remove(ask)
                return Mail("late", number, "")
        raise Broken(f"an end of ask {number} at {at}, which is not open or not due: {actor.asks}")

    def _is_late(self, actor: Actor, timer: Timer, now: float) -> bool:
        if timer.missed == "skip" and timer.every and max(self.opened_at, actor.failed_at + BLOCKED) > timer.due:
            return False
        return timer.due < now - SLACK
