"""A turn while it still collects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import Record, encode
from choragus.mailbox.document import Document
from choragus.mailbox.errors import NotStorable
from choragus.mailbox.turn import (
    Effect,
    EffectState,
    Entry,
    Envelope,
    OnInterrupt,
    Turn,
    View,
)

from .beat import Beat, beat_of
from .errors import StashFull
from .message import AskFailed

_SHARED = ("_entries", "_views", "actions")
"""What drafts that are written together collect in one list each, for it has an order over all of them."""


@attrs.frozen(eq=False)
class Mark:
    """Where a draft stands: how long the shared lists are, and all that is its own."""

    shared: dict[str, int]
    own: dict[str, object]


class Draft:
    """What one handler call has asked for so far. Values are encoded as they come, so a bad one fails at its line."""

    def __init__(
        self,
        actor: ActorId,
        *,
        id: str,
        fence: int,
        revision: int,
        sent: int,
        at: float,
        consumed: Envelope | None,
        ended: bool = False,
        stash: tuple[str, ...] = (),
    ) -> None:
        self.actor = actor
        self.at = at
        self.about = "" if consumed is None else consumed.then.partition("\n")[2]
        self.open = True
        self.ended = ended
        self.actions: list[Callable[[], None]] = []
        self.committed: Callable[[], Awaitable[None]] = _at_once
        self.step: Callable[[str, Callable[[], object], OnInterrupt], Awaitable[object]] = _no_step
        self._stepped: tuple[str, ...] = ()
        self._id = id
        self._fence = fence
        self._revision = revision
        self._sent = sent
        self._consumed = consumed
        self._taken = consumed
        self._is_joined = False
        self._fresh: list[Envelope] = []
        self._ring: tuple[Envelope, Beat] | None = None
        if consumed is not None:
            self.rings_on(consumed)
        self._stash = stash
        self._stashed: tuple[str, ...] = ()
        self._unstashed: tuple[str, ...] = ()
        self._sends: list[Envelope] = []
        self._timers_cancelled: list[str] = []
        self._effects: list[Effect] = []
        self._settled: list[tuple[str, EffectState]] = []
        self._entries: list[Entry] = []
        self._views: list[View] = []
        self._documents: tuple[Document, ...] = ()
        self._scrubbed: tuple[str, ...] = ()

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do this once the turn is on disk."""
        self.actions.append(action)

    def send(
        self, receiver: ActorId, message: object, *, due: float = 0.0, timer: str = "", then: str = ""
    ) -> Envelope:
        """Put a message into a durable mailbox."""
        envelope = self._envelope(receiver, encode(message), due=due, timer=timer, then=then)
        if timer and receiver == self.actor:
            self._drop_timer(timer)
        self._sends.append(envelope)
        return envelope

    def ask(self, receiver: ActorId, message: object, *, then: str, timeout: float) -> None:
        """Send a message whose reply comes to `then`, or AskFailed after `timeout` seconds.

        The waiting timer is what makes the ask open: the reply takes its place, and without it is dropped.
        """
        timer = f"ask:{self._sent + 1}"
        late = AskFailed(receiver, f"no reply within {timeout:g} s")
        asked = self._envelope(receiver, encode(message), reply_to=self.actor, reply_then=f"{timer}\n{then}")
        self._sends += [asked, self._envelope(self.actor, encode(late), due=self.at + timeout, timer=timer, then=then)]

    def answer(self, asked: Envelope, record: Record) -> None:
        """Send the reply of a message that a durable actor asked."""
        timer, _, then = asked.reply_then.partition("\n")
        self._sends.append(
            self._envelope(ActorId(asked.reply_to), record, timer=timer, then=then, answer=True, trace=asked.trace)
        )

    def cancel_timer(self, name: str) -> None:
        """Take back a waiting timer; one that is not there is fine."""
        self._timers_cancelled.append(name)
        self._drop_timer(name)

    def ticker(self, name: str, message: object, beat: Beat) -> None:
        """Put the first ring of a ticker."""
        ring = self._ring_of(name, encode(message), beat)
        self._drop_timer(name)
        self._sends.append(ring)

    def rings_on(self, ring: Envelope, *, again: bool = False) -> None:
        """When it is a ticker's, put the next ring with this turn, unless the turn sets or cancels that name.

        Args:
            again: put the same ring anew, because the clock was set back.
        """
        beat = beat_of(ring)
        if beat is not None:
            self._ring = (ring, beat.again(self.at) if again else beat.following(self.at))

    @property
    def sender(self) -> str:
        """Who sent the message in hand: an actor's address, else `visitor` or one that begins with `host:`."""
        return "" if self._consumed is None else self._consumed.sender

    @property
    def is_stashed(self) -> bool:
        """Whether the message in hand is set aside: nobody gets a reply yet."""
        return bool(self._stashed)

    def stash(self, limit: int) -> None:
        """Set the message in hand aside.

        Raises:
            StashFull: when `limit` messages are set aside already.
            RuntimeError: when there is none in hand, or it was set aside already.
        """
        if self._consumed is None or self._stashed:
            raise RuntimeError(f"{self.actor} has no message in hand to stash: call stash() in a handler, once")
        if len(self._stash) >= limit:
            raise StashFull(f"{self.actor} has {limit} messages set aside (its stash_limit): unstash_all() before more")
        self._stashed = (self._consumed.id,)
        self._stash += self._stashed

    def unstash_all(self) -> None:
        """Take up what is set aside, before all that wait."""
        self._unstashed += self._stash
        self._stash = ()

    def effect(self, runner: str, request: object, *, then: str, on_interrupt: OnInterrupt) -> str:
        """Intend a call to the outside; gives back its id."""
        check_text(runner, then)
        effect = Effect(
            id=f"{self.actor}!{self._revision + 1}.{len(self._effects) + 1}",
            actor=self.actor,
            runner=runner,
            record=encode(request),
            then=then,
            on_interrupt=on_interrupt,
            created=self.at,
        )
        self._effects.append(effect)
        return effect.id

    def settle(self, effect: str, state: EffectState) -> None:
        """Say what became of an effect that is not to be waited for any longer."""
        self._settled.append((effect, state))

    def stepped(self) -> None:
        """The steps that were taken for the message in hand need not be known any longer."""
        if self._taken is not None:
            self._stepped = (self._taken.id,)

    def entry(self, stream: str, kind: str, body: bytes) -> None:
        """Append a line to a stream."""
        check_text(stream, kind)
        self._entries.append(Entry(stream, kind, self.at, body))

    def view(self, view: View) -> None:
        """Replace or delete a row for readers."""
        check_text(view.kind, view.key, view.scope)
        self._views.append(view)

    def document(self, document: Document) -> None:
        """Put, replace or delete a document."""
        check_text(document.collection, document.id, document.subject, document.text or "")
        self._documents += (document,)

    def scrub(self, collection: str) -> None:
        """Write a collection's index anew behind what is deleted."""
        check_text(collection)
        self._scrubbed += (collection,)

    # Turns of several actors that are written together.

    def join(self, first: Draft) -> None:
        """Be written with that turn: what has an order over all of them is collected there."""
        self._entries, self._views, self.actions = first._entries, first._views, first.actions
        self.at = first.at
        self._is_joined = True

    def go_on(self, envelope: Envelope) -> None:
        """Take another message in hand, which is nowhere but in the turn that sent it."""
        self._consumed = envelope
        self.about = envelope.then.partition("\n")[2]

    @property
    def has_strayed(self) -> bool:
        """Whether it does what only a turn of its own can: set messages aside, take them up, or end the actor."""
        return bool(self._stashed or self._unstashed or self.ended)

    def mark(self) -> Mark:
        """Where the turn stands, for `go_back`."""
        own = {name: list(value) if isinstance(value, list) else value for name, value in vars(self).items()}
        return Mark({name: len(getattr(self, name)) for name in _SHARED}, own)

    def go_back(self, mark: Mark) -> None:
        """Forget what was asked for since; others that collect into the same lists must have done nothing since."""
        for name, value in mark.own.items():
            if name in _SHARED:
                del getattr(self, name)[mark.shared[name] :]
            else:
                setattr(self, name, value)

    def fresh(self) -> list[Envelope]:
        """What it has sent since this was last asked, to be handled at once."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def take_back(self, envelope: Envelope) -> None:
        """The message was handled: it need not be written."""
        self._sends = [send for send in self._sends if send is not envelope]

    def replace(self, envelope: Envelope, other: Envelope) -> None:
        """Send the other one in its place."""
        self._sends = [other if send is envelope else send for send in self._sends]

    def answered(self, answer: Envelope) -> bool:
        """Put the answer in the place of its timer; False when this turn has set none for it."""
        before = len(self._sends)
        self._drop_timer(answer.timer)
        return len(self._sends) < before

    def close(self, state: Record | None, replies: tuple[tuple[str, Record], ...]) -> Turn:
        """The turn as it will be written; nothing can be added any more."""
        self._put_ring()
        if self.ended:
            self.unstash_all()
        self.open = False
        return Turn(
            id=self._id,
            actor=self.actor,
            fence=self._fence,
            revision=self._revision,
            consumed=() if self._taken is None or self._stashed else (self._taken.id,),
            state=state,
            sent=self._sent,
            sends=tuple(self._sends),
            timers_cancelled=tuple(self._timers_cancelled),
            effects=tuple(self._effects),
            effects_settled=tuple(self._settled),
            entries=() if self._is_joined else tuple(self._entries),
            views=() if self._is_joined else tuple(self._views),
            stepped=self._stepped,
            stashed=self._stashed,
            unstashed=self._unstashed,
            replies=replies,
            ended=self.ended,
            documents=self._documents,
            scrubbed=self._scrubbed,
        )

    def _drop_timer(self, name: str) -> None:
        self._sends = [send for send in self._sends if send.timer != name or send.receiver != self.actor or send.answer]

    def _put_ring(self) -> None:
        if self._ring is None or self.ended:
            return
        ring, beat = self._ring
        own = {send.timer for send in self._sends if send.receiver == self.actor and not send.answer}
        if ring.timer not in own and ring.timer not in self._timers_cancelled:
            self._sends.append(self._ring_of(ring.timer, ring.record, beat))

    def _ring_of(self, name: str, record: Record, beat: Beat) -> Envelope:
        return self._envelope(self.actor, record, due=beat.due, timer=name, reply_then=beat.text())

    def _envelope(
        self,
        receiver: ActorId,
        record: Record,
        *,
        due: float = 0.0,
        timer: str = "",
        then: str = "",
        reply_to: str = "",
        reply_then: str = "",
        answer: bool = False,
        trace: str = "",
    ) -> Envelope:
        check_text(receiver, timer, then, reply_then)
        self._sent += 1
        envelope = Envelope(
            id=f"{self.actor}#{self._sent}",
            receiver=receiver,
            sender=self.actor,
            record=record,
            due=due,
            timer=timer,
            then=then,
            reply_to=reply_to,
            reply_then=reply_then,
            answer=answer,
            trace=trace or ("" if self._consumed is None else self._consumed.trace),
        )
        if not due:
            self._fresh.append(envelope)
        return envelope


async def _no_step(name: str, call: Callable[[], object], on_interrupt: OnInterrupt) -> object:
    raise RuntimeError(f"step {name!r} outside a handler: on_parked() cannot wait")


async def _at_once() -> None:
    """Nothing to wait for."""


def check_text(*texts: str) -> None:
    """Refuse what no file can keep, before it is part of anything.

    Raises:
        NotStorable: naming the text.
    """
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotStorable(f"{error.object!r} cannot be stored: it is no valid Unicode text ({error.reason})") from error
