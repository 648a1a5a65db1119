"""A durable actor, as its user writes it."""

from __future__ import annotations

import inspect
import math
import re
import sys
from collections.abc import Awaitable, Callable
from typing import ClassVar, Generic, Protocol, TypeVar, overload

import attrs

from choragus.mailbox.address import ActorId, actor_id
from choragus.mailbox.codec import encode, is_stored
from choragus.mailbox.document import Document
from choragus.mailbox.turn import SYSTEM_STREAM, EffectState, OnInterrupt, Parking, View

from .actor import Actor, define
from .beat import MISSED, SHORTEST, Beat, Missed
from .dispatch import declared_arguments, replies
from .draft import Draft
from .errors import HandlerFault
from .message import Request
from .ref import Ref

S = TypeVar("S")
M = TypeVar("M", contravariant=True)
T = TypeVar("T", contravariant=True)
V = TypeVar("V")

_NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")


class DurableSystem(Protocol):
    """What a durable actor needs from the system."""

    def durable_ref(self, actor: type[Actor[T]], key: str) -> Ref[T]: ...

    def cancel_effect(self, effect: str) -> None: ...

    def actor_done(self, id: ActorId) -> None: ...

    @property
    def resources(self) -> object: ...


class DurableActor(Actor[M], Generic[S, M]):
    """An actor whose mailbox and state are on disk, addressed by its type and a key, there when it is needed.

    `class Account(DurableActor[Balance, Deposit], name="bank.account")`: the state is `self.state`, an attrs class
    stored under a stable name that may be changed in place. A handler call is one turn: the message taken, the new
    state, everything sent, timers, effects, log lines and view rows are written in one transaction, or none of it
    happened. Nothing that the turn sends leaves before it is on disk. A handler that raises leaves no trace but a
    count: it gets the message again, up to the region's number of attempts, then the message is parked.

    Handlers need not be deterministic; they are never replayed. What they do to the outside world themselves is not
    part of the turn: use `effect`.
    """

    type_name: ClassVar[str] = ""
    turn_timeout: ClassVar[float] = 60.0
    """Seconds that a handler may take before it is cancelled, which counts as a failed attempt."""
    group: ClassVar[str] = ""
    """Actors of one key whose classes name the same group go on with each other's messages at once: what one of them
    sends is handled in the turn that sends it, where the receiver is free, and one transaction holds what all of them
    did. A handler that fails or waits there is rolled back with the whole, and what was sent is then handled one by
    one, each message in its own turn. Empty: none."""
    stash_limit: ClassVar[int] = 1_000
    """How many messages `stash` sets aside."""
    __choragus_state__: ClassVar[type] = object
    __choragus_reply_names__: ClassVar[frozenset[str]] = frozenset()

    state: S
    key: str = ""
    _draft: Draft | None = None

    def __init_subclass__(cls, *, name: str = "", **keywords: object) -> None:
        super(Actor, cls).__init_subclass__(**keywords)
        local = sys._getframe(1).f_locals
        define(cls, DurableActor, local)
        _check_nothing_blocks(cls)
        cls.__choragus_reply_names__ = replies(cls)
        arguments = declared_arguments(cls, DurableActor)
        if arguments is not None and not isinstance(arguments[0], TypeVar):
            cls.type_name = name or cls.type_name
            cls.__choragus_state__ = _checked_state(cls, cls.type_name, arguments[0])

    def initial(self) -> S:
        """The state before the first turn: the state class without arguments, unless overridden."""
        return self.__choragus_state__()  # type: ignore[no-any-return]  # the declared state class

    @property
    def stream(self) -> str:
        """The stream that `log` writes to: the system's, unless overridden."""
        return SYSTEM_STREAM

    @property
    def now(self) -> float:
        """The turn's time: seconds since the epoch."""
        return self._turn.at

    @property
    def about(self) -> str:
        """In a `@reply` method: what the ask or effect was about."""
        return self._turn.about

    @property
    def id(self) -> ActorId:
        """This actor's address."""
        return actor_id(self.type_name, self.key)

    def on_parked(self, message: object, parking: Parking) -> None:
        """Called in the turn that parks a message, with the state of the last completed turn: the place to tell others.

        `message` is None when it could not even be decoded.
        """

    @property
    def is_done(self) -> bool:
        """Whether hardly anything is expected any more: this object then leaves memory as soon as it is idle.

        It is no end: the actor goes on with its next message, in a new object. False, unless overridden.
        """
        return False

    def on_passivate(self) -> None:
        """Called when this object leaves memory in order: idle for long among many, or at the system's end.

        It is no end: the actor goes on with its next message, in a new object. The place to give back what the object
        holds besides its state. It is outside every turn, must not block, and is not called in a crash.
        """

    @property
    def resources(self) -> object:
        """What was passed as `System(resources=...)`: never stored, there again after a reopening."""
        return self._system.resources

    async def committed(self) -> None:
        """Wait until everything that this turn stands upon is on disk: the turns before it, and the message in hand.

        Turns are handled before they are on disk, and nothing that they send leaves the system before they are. Await
        this before you do by hand what leaves it, or read the store.
        """
        await self._turn.committed()

    @overload
    async def step(self, name: str, call: Callable[[], Awaitable[V]], *, on_interrupt: OnInterrupt) -> V: ...
    @overload
    async def step(self, name: str, call: Callable[[], V], *, on_interrupt: OnInterrupt) -> V: ...
    async def step(self, name: str, call: Callable[[], object], *, on_interrupt: OnInterrupt) -> object:
        """Call something outside from within a handler, once for the message in hand, and give back its result.

        That it begins is on disk before the call, and its result behind it, each in a commit of its own, after all
        that this turn stands upon. When the turn fails or the process dies, the handler runs again, and a finished step
        gives its result without a call. Steps are told apart by name and by how often the name came before in this
        handler call, so take them in the same order each time.

        It holds the actor up as long as it takes: let what takes long be an `effect`, which does not.

        Args:
            call: a function, or one that gives an awaitable; plain functions run on the event loop.
            on_interrupt: when the process died, or the call raised, before there was a result. RERUN: call again.
                UNKNOWN: raise StepUnknown, for nobody knows what it did.

        Returns:
            the result as it is stored: of JSON types, or a class with `@stored`.

        Raises:
            StepUnknown: see above. The handler may find out what happened, and go on.
            NotStorable: when the result cannot be stored; the call has been made.
            CutOff: when the handler has been left behind meanwhile.
        """
        return await self._turn.step(name, call, on_interrupt)

    def ref(self, actor: type[Actor[T]], key: str) -> Ref[T]:
        """The durable actor of that type and key."""
        return self._system.durable_ref(actor, key)

    def ask(
        self,
        ref: Ref[T],
        message: Request[object],
        *,
        then: Callable[..., object],
        about: str = "",
        timeout: float = 30.0,
    ) -> None:
        """Ask without waiting: the reply comes to the `@reply` method `then` as a message, in a later turn.

        In its place comes AskFailed when the receiver parked the message or did not answer within `timeout` seconds.
        Either way `self.about` is then the text given here.
        """
        if ref.id is None:
            raise TypeError(f"{self.id} can ask durable actors only, not {ref!r}: tell it, and let it tell back")
        self.ask_at(ref.id, message, then=then, about=about, timeout=timeout)

    def ask_at(
        self,
        receiver: ActorId,
        message: object,
        *,
        then: Callable[..., object],
        about: str = "",
        timeout: float = 30.0,
    ) -> None:
        """Ask a durable actor by its address, for those who cannot import its class; nothing checks the type."""
        if not timeout > 0:
            raise ValueError(f"timeout={timeout!r} for asking {receiver}: give seconds above 0")
        self._turn.ask(receiver, message, then=self._method(then, about), timeout=timeout)

    def tell_at(self, receiver: ActorId, message: object) -> None:
        """Tell a durable actor by its address; nothing checks the type."""
        self._turn.send(receiver, message)

    def effect(
        self,
        runner: str,
        request: object,
        *,
        then: Callable[..., object],
        on_interrupt: OnInterrupt,
        about: str = "",
    ) -> str:
        """Intend a call to the outside; gives back the effect's id, which is stable over retries.

        It is run by the system's runner of that name once this turn is on disk. Its result comes to the `@reply`
        method `then`, or EffectFailed, or, when the process died while it was open and `on_interrupt` is UNKNOWN,
        EffectUnknown. Either way `self.about` is then the text given here.
        """
        return self._turn.effect(runner, request, then=self._method(then, about), on_interrupt=on_interrupt)

    def settle_effect(self, effect: str) -> None:
        """Close an effect of unknown outcome: somebody has said what became of it."""
        self._turn.settle(effect, EffectState.SETTLED)

    def cancel_effect(self, effect: str) -> None:
        """Close an effect that is no longer wanted; a result that still comes is dropped.

        One that has come already is a message that waits, and is handled.
        """
        self._turn.settle(effect, EffectState.CANCELLED)
        self._turn.after_commit(lambda: self._system.cancel_effect(effect))

    def timer(self, name: str, message: object, *, after: float) -> None:
        """Send a message to itself in `after` seconds, also over a restart. Setting a name again replaces it."""
        if not math.isfinite(after):
            raise ValueError(f"after={after!r} for timer {name!r} of {self.id}: give seconds")
        self._turn.send(self.id, message, due=self.now + after, timer=name)

    def ticker(
        self, name: str, message: object, *, every: float, missed: Missed = "once", after: float | None = None
    ) -> None:
        """Send a message to itself every so many seconds, the first time in `after` (by default `every`).

        The next ring is put in the turn that handles the ring, so each beat rings once, also over a crash. The beat is
        kept over restarts and failures; a ring that is parked is followed by the next. Setting a name again replaces
        the timer or ticker of that name. It ends with `cancel_timer`, and with the actor.

        Args:
            every: seconds, 0.001 or more.
            missed: what becomes of beats that passed while nobody could ring, because the process was down or the
                actor busy. `"once"`: one message for all of them. `"skip"`: none; a ring counts as missed when it was
                due before the system was opened, or is a whole beat late. `"all"`: one message each, the latest 1,000
                of them; of more, the oldest are left out. Then it goes on on the beat.
            after: seconds to the first ring, 0 or more.

        Raises:
            ValueError: when `every` or `after` is out of range, or `missed` is no such word.
        """
        first = every if after is None else after
        if not SHORTEST <= every < math.inf:
            raise ValueError(f"every={every!r} for ticker {name!r} of {self.id}: give seconds, {SHORTEST:g} or more")
        if not 0 <= first < math.inf:
            raise ValueError(f"after={after!r} for ticker {name!r} of {self.id}: give seconds, 0 or more")
        if missed not in MISSED:
            raise ValueError(f"missed={missed!r} for ticker {name!r} of {self.id}: give one of {', '.join(MISSED)}")
        if not name:
            raise ValueError(f"a ticker of {self.id} needs a name, any text that is not empty")
        due = self.now + first
        self._turn.ticker(name, message, Beat(origin=due, every=every, missed=missed, due=due, wait=first))

    def cancel_timer(self, name: str) -> None:
        """Take a timer or ticker back, also when it has rung and waits; one that is not there is fine."""
        self._turn.cancel_timer(name)

    def stash(self) -> None:
        """Set the message in hand aside with this turn, to be handled after `unstash_all`.

        It stays on disk, in its order, also over a restart of the process; whoever asked goes on waiting. It counts
        as no attempt. A timer's message is a plain message from then on, which `cancel_timer` does not find.

        Raises:
            StashFull: when `stash_limit` messages are set aside already.
            RuntimeError: outside a handler, or when the message was set aside already.
        """
        self._turn.stash(self.stash_limit)

    def unstash_all(self) -> None:
        """Handle what was set aside next, before all that waits, in the order in which it was set aside.

        It is part of the turn: when that fails, everything stays set aside. An actor that ends takes it up too, to
        have it parked.
        """
        self._turn.unstash_all()

    def log(self, kind: str, /, **fields: object) -> None:
        """Append a line to this actor's stream."""
        self.append(self.stream, kind, {"actor": self.id, **fields})

    def append(self, stream: str, kind: str, body: dict[str, object]) -> None:
        """Append a line to any stream."""
        self._turn.entry(stream, kind, encode(body).body)

    def view(self, kind: str, key: str, body: dict[str, object] | None, *, scope: str = "", sort: float = 0.0) -> None:
        """Replace a small row for readers; a body of None deletes it."""
        data = None if body is None else encode(body).body
        self._turn.view(View(kind=kind, key=key, scope=scope, sort=sort, body=data))

    def document(self, document: Document) -> None:
        """Put a document, or replace that of its id, to be found by its words; one without a text deletes it.

        Let each collection belong to one actor. It is found by `Store.search` once the turn is on disk.
        """
        self._turn.document(document)

    def scrub(self, collection: str) -> None:
        """Write the index of a collection anew with this turn, so that it keeps nothing of what was deleted.

        That takes some 5 ms for each 1,000 documents that are left, and nobody else writes meanwhile.
        """
        self._turn.scrub(collection)

    def end(self) -> None:
        """End this actor with this turn; what is sent to it later is parked."""
        self._turn.ended = True

    @property
    def _turn(self) -> Draft:
        if self._draft is None or not self._draft.open:
            raise RuntimeError(f"{self.id} has no turn open: this works inside its handlers only")
        return self._draft

    @property
    def _system(self) -> DurableSystem:
        return self.system  # type: ignore[return-value]  # durable actors are attached to the durable system

    def _method(self, then: Callable[..., object], about: str) -> str:
        name: str = getattr(then, "__name__", "")
        if name not in self.__choragus_reply_names__:
            raise HandlerFault(f"{type(self).__name__}.{name or repr(then)} cannot take a reply: mark it with @reply")
        return f"{name}\n{about}"


def _check_nothing_blocks(cls: type[DurableActor[S, M]]) -> None:
    for handler in cls.__choragus_table__.values():
        if handler.reentrant:
            raise HandlerFault(
                f"{cls.__name__}.{handler.name}: a handler of a durable actor is one turn, and turns do not "
                "interleave: drop reentrant=True, and let what takes long be an effect, whose result is a message"
            )
        if handler.blocking is not None:
            raise HandlerFault(
                f"{cls.__name__}.{handler.name}: a handler of a durable actor is one turn, which cannot be left behind "
                f"in a {handler.blocking}: drop blocking={handler.blocking!r} and use effects, as in "
                "self.effect('runner', request, then=self.done, on_interrupt=OnInterrupt.RERUN)"
            )


def _checked_state(cls: type[DurableActor[S, M]], name: str, state: object) -> type:
    for hook in ("on_start", "on_stop"):
        if getattr(cls, hook) is not getattr(Actor, hook):
            raise HandlerFault(
                f"{cls.__name__}.{hook}: a durable actor comes and goes with its messages and has no {hook}; "
                "override initial(), or set it up in a handler"
            )
    for called in (cls.on_parked, cls.on_passivate):
        if inspect.iscoroutinefunction(called):
            raise HandlerFault(f"{cls.__name__}.{called.__name__} cannot wait: write it with def")
    if not _NAME.fullmatch(name):
        raise HandlerFault(
            f"{cls.__name__} needs a stable name for its stored data, lower-case words with dots, not {name!r}: "
            f"class {cls.__name__}(DurableActor[...], name='shop.account')"
        )
    if not (isinstance(state, type) and attrs.has(state) and is_stored(state)):
        said = getattr(state, "__name__", state)
        raise HandlerFault(f"{cls.__name__}'s state {said} is not stored: put @stored('a.name') above its attrs class")
    for message in cls.__choragus_table__:
        if not is_stored(message):
            raise HandlerFault(
                f"{cls.__name__}'s message {message.__name__} is not stored: put @stored('a.name') above it"
            )
    return state
