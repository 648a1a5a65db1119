"""The herald: tells people of what needs them, at least once each, whatever the hook does and whenever we die.

Each telling is an effect, so it is intended on disk before the hook is called, and its success is on disk before it
counts. A hook that fails is called again after 1, 2, 4 and at last every 300 s. Runs never wait for it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

import attrs

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.event import Event, Parked, Suspended
from choragus.actors.message import EffectFailed
from choragus.actors.thread import in_thread
from choragus.mailbox.codec import stored
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.store import Store
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System

from .attention import HERALD, MAIN, Attention, Raise, of_suspended, waiting
from .holding import HeldRun
from .patience import CutOff, TookTooLong, told, within

Hook: TypeAlias = Callable[[Attention], Awaitable[object] | object]
"""What is told. It acknowledges by returning, and asks to be told again by raising. A plain function gets a thread."""

AT_ONCE = 8
"""Tellings under way at a time."""

TELLING = 30.0
"""Seconds that the hook has for one."""

SLOWEST = 300.0
"""Seconds between two tries, at last."""

KEPT = 10_000
"""How many of those that were told of are remembered at most."""


@stored("choragus.tell_again")
@attrs.frozen
class TellAgain:
    """It is time for the next try."""

    id: str


@stored("choragus.told")
@attrs.frozen
class Told:
    """The hook was called; `reason` says why that does not count, or nothing."""

    reason: str = ""


@attrs.define
class Errand:
    """Something to tell: `flies` while the hook is called, `rests` until its next try."""

    item: Attention
    tries: int = 0
    flies: bool = False
    rests: bool = False


@stored("choragus.herald_state")
@attrs.define
class HeraldState:
    """What is to be told, by id, and the ids of what was."""

    errands: dict[str, Errand] = attrs.field(factory=dict)
    told: list[str] = attrs.field(factory=list)


class Herald(DurableActor[HeraldState, Raise | TellAgain], name=HERALD):
    """Tells people; one for a file."""

    @handle
    def raised(self, message: Raise) -> None:
        """Something needs a person, or all that does: what was told of and no longer waits is forgotten."""
        if message.is_all:
            now = {item.id for item in message.items}
            self.state.told = [id for id in self.state.told if id in now]
        known = set(self.state.told)
        for item in message.items:
            if item.id not in known and item.id not in self.state.errands:
                self.state.errands[item.id] = Errand(item)
                self.log("attention.raised", item=attrs.asdict(item))
        self._go()

    @handle
    def again(self, message: TellAgain) -> None:
        """The next try."""
        if errand := self.state.errands.get(message.id):
            errand.rests = False
            self._go()

    @reply
    def was_told(self, told: Told | EffectFailed) -> None:
        """The hook has it, or is to be tried again."""
        errand = self.state.errands.get(self.about)
        if errand is None:
            return
        errand.tries += 1
        errand.flies = False
        if not told.reason:
            del self.state.errands[self.about]
            self.state.told = [*self.state.told, self.about][-KEPT:]
            self.log("attention.told", id=self.about, tries=errand.tries)
        else:
            errand.rests = True
            self.timer(
                f"again-{self.about}", TellAgain(self.about), after=min(SLOWEST, 2.0 ** min(errand.tries - 1, 9))
            )
            if errand.tries & (errand.tries - 1) == 0:  # the 1st, 2nd, 4th, 8th ...
                self.log("attention.failed", id=self.about, tries=errand.tries, reason=told.reason)
        self._go()

    def _go(self) -> None:
        """Begin as many tellings as may be under way."""
        free = AT_ONCE - sum(errand.flies for errand in self.state.errands.values())
        for id, errand in self.state.errands.items():
            if free > 0 and not errand.flies and not errand.rests:
                errand.flies, free = True, free - 1
                self.effect("attention", errand.item, then=self.was_told, on_interrupt=OnInterrupt.RERUN, about=id)


@attrs.frozen
class Teller:
    """Runs the herald's effects."""

    hook: Hook | None

    async def tell(self, request: object, context: EffectContext) -> object:
        """Call the hook once. What it raises, or that it takes too long, is a result."""
        assert isinstance(request, Attention)
        if self.hook is None:
            return Told("this runtime has no hook: pass Runtime(attention=...)")
        try:
            await within(TELLING, _called(self.hook, request))
        except TookTooLong:
            return Told(f"the hook did not return within {TELLING:g} s")
        except CutOff:
            return Told("the hook was cancelled from inside")
        except Exception as error:
            return Told(told(error)[:500])
        return Told()


async def _called(hook: Hook, item: Attention) -> None:
    if inspect.iscoroutinefunction(hook) or inspect.iscoroutinefunction(getattr(hook, "__call__", None)):  # noqa: B004  # not whether it can be called, but how
        given = hook(item)
    else:
        given = await in_thread("attention", lambda: hook(item))
    if inspect.isawaitable(given):
        await given


async def keep_telling(system: System, store: Store, held: Sequence[HeldRun], at: float) -> None:
    """Have the herald told of all that waits, now and whenever a message is parked or an actor suspended."""
    news, suspended = asyncio.Event(), list[Attention]()

    def noticed(event: Event) -> None:
        if isinstance(event, Suspended):
            suspended.append(of_suspended(event.actor, str(event.error), at))
        if isinstance(event, Parked | Suspended):
            news.set()

    system.events.subscribe(noticed)
    while True:
        news.clear()
        try:
            items = [*await waiting(store, held, at), *suspended]
        except CorruptRecord as error:  # whose run says so itself
            items = [of_suspended("a record", str(error), at), *suspended]
        await system.ref(Herald, MAIN).send(Raise(tuple(items), is_all=True))
        await news.wait()
