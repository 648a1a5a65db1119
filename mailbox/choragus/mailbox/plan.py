"""What a batch comes to, decided before anything is written.

`plan` walks a batch in commit order (appends, closures, then turn after turn) over the facts that a store looked up,
and gives back either the offenders or the net changes: a message that is born and consumed in one batch leaves no
row, five turns of one actor leave one. No I/O here; every store reads the same facts and writes the same plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import attrs

from .address import ActorId
from .codec import Record
from .digest import GENESIS, chain, chain_batch
from .document import Document
from .need import Mail, Named
from .turn import (
    Attempt,
    Batch,
    Closure,
    Effect,
    EffectState,
    Entry,
    Envelope,
    Known,
    LogEntry,
    Parked,
    Parking,
    Rejected,
    Step,
    Turn,
    View,
    stashed,
)

UNFINISHED = frozenset({EffectState.OPEN, EffectState.HELD, EffectState.UNKNOWN})


@attrs.frozen(kw_only=True)
class Head:
    """The last entry of a stream: its position and hash."""

    position: int = 0
    hash: bytes = GENESIS
    number: int = attrs.field(default=0, eq=False)
    """What a store knows the stream by; 0 until it has given it one."""


BEGINNING = Head()


@attrs.frozen(kw_only=True)
class Facts:
    """What a store looked up for a batch; whatever does not exist is not in the mappings."""

    messages: int
    """The highest `seq` that a message ever had."""
    front: int
    """The lowest `seq` of a waiting message, at most 0; only looked up where messages are put before it."""
    entries: int
    """The highest `seq` that an entry ever had."""
    batch: int
    batch_hash: bytes
    revisions: Mapping[ActorId, int]
    mail: Mapping[Mail, int]
    """`seq` of the waiting messages that the batch names."""
    envelopes: Mapping[Mail, Envelope]
    """The waiting messages that the batch rewrites, parks, sets aside or takes up."""
    parked: frozenset[Mail]
    """Which of the appended messages are parked."""
    timers: Mapping[Named, str]
    """Message ids of the waiting timers that the batch cancels or replaces; they are in `mail` too."""
    effects: Mapping[str, EffectState]
    any_steps: bool
    """Whether a step of any message is there."""
    known: Mapping[Named, Known]
    keys: Mapping[Mail, str]
    """Keys of the messages that the batch replies to."""
    heads: Mapping[str, Head]


@attrs.define(kw_only=True)
class ActorChange:
    """An actor after its last turn of the batch. `keeps_state`: the stored state stays as it is."""

    revision: int
    last_turn: str
    sent: int
    ended: bool
    state: Record | None
    keeps_state: bool
    is_new: bool


@attrs.define(kw_only=True)
class Plan:
    """The net changes of a batch."""

    taken: dict[Mail, int] = attrs.field(factory=dict)
    """The waiting messages to remove, with their `seq`."""
    rewritten: dict[Mail, Envelope] = attrs.field(factory=dict)
    """Waiting messages with new counts."""
    born: dict[Mail, Envelope] = attrs.field(factory=dict)
    """Messages to insert, in order; their `seq` is given from `Facts.messages` on, unless it is below 0 already."""
    errors: dict[Mail, str] = attrs.field(factory=dict)
    """The last error of a rewritten, born or parked message."""
    started: set[Mail] = attrs.field(factory=set)
    parked: list[Parked] = attrs.field(factory=list)
    actors: dict[ActorId, ActorChange] = attrs.field(factory=dict)
    effects: dict[str, Effect] = attrs.field(factory=dict)
    states: dict[str, EffectState] = attrs.field(factory=dict)
    views: dict[tuple[str, str], View] = attrs.field(factory=dict)
    steps: tuple[Step, ...] = ()
    stepped: list[Mail] = attrs.field(factory=list)
    """The messages whose steps go."""
    keys: dict[Named, Known] = attrs.field(factory=dict)
    cursors: dict[str, int] = attrs.field(factory=dict)
    entries: list[LogEntry] = attrs.field(factory=list)
    heads: dict[str, Head] = attrs.field(factory=dict)
    documents: dict[tuple[str, str], Document] = attrs.field(factory=dict)
    """The last word on each, in order."""
    scrubbed: dict[str, None] = attrs.field(factory=dict)
    batch: int = 0
    batch_hash: bytes = b""
    known: dict[str, Known] = attrs.field(factory=dict)
    dropped: set[str] = attrs.field(factory=set)


def plan(batch: Batch, facts: Facts) -> Plan | Rejected:
    """The net changes of a batch, or the turns that cannot be committed.

    A turn that follows an offender, on its actor or on its messages, is named too.
    """
    fold = _Fold(batch, facts)
    for envelope in batch.appends:
        fold.append(envelope)
    for closure in batch.closures:
        fold.close(closure)
    for turn in batch.turns:
        fold.turn(turn)
    if fold.offenders:
        return Rejected(offenders=fold.offenders)
    fold.finish()
    return fold.plan


class _Fold:
    """A batch half-way: the changes so far, over the facts."""

    def __init__(self, batch: Batch, facts: Facts) -> None:
        self.batch = batch
        self.facts = facts
        self.plan = Plan(batch=facts.batch, batch_hash=facts.batch_hash)
        self.offenders: dict[str, str] = {}
        self._timers: dict[Named, str] = {}
        self._failed: set[ActorId] = set()
        self._keys: dict[Mail, str] = {}
        self._front = facts.front
        self._nameless: set[Mail] = set()
        self._entries: list[Entry] = []

    def append(self, envelope: Envelope) -> None:
        named = (envelope.receiver, envelope.key)
        known = self.plan.keys.get(named) or self.facts.known.get(named)
        if envelope.key and known:
            self.plan.known[envelope.id] = known
            return
        mail = (envelope.receiver, envelope.id)
        if self._waits(mail) or mail in self.facts.parked:
            return
        if envelope.key:
            self.plan.keys[named] = Known(id=envelope.id, reply=None)
            self._keys[mail] = envelope.key
        self._insert(envelope)

    def close(self, closure: Closure) -> None:
        if self._state(closure.effect) not in UNFINISHED:
            self.plan.dropped.add(closure.effect)
            return
        self._settle(closure.effect, closure.state)
        self._insert(closure.envelope)

    def turn(self, turn: Turn) -> None:
        reason = self._refusal(turn)
        if reason:
            self.offenders[turn.id] = reason
            self._failed.add(turn.actor)
            return
        self._mail(turn)
        self._advance(turn)
        self._entries += turn.entries
        for effect in turn.effects:
            self.plan.effects[effect.id] = effect
        for identity, state in turn.effects_settled:
            if self._state(identity) in UNFINISHED:
                self._settle(identity, state)
        for view in turn.views:
            self.plan.views[view.kind, view.key] = view
        for document in turn.documents:
            self.plan.documents.pop((document.collection, document.id), None)
            self.plan.documents[document.collection, document.id] = document
        for collection in turn.scrubbed:
            self.plan.scrubbed[collection] = None
        for message, reply in turn.replies:
            self._reply((turn.actor, message), reply)
        for message in turn.stepped:
            self.plan.stepped.append((turn.actor, message))

    def finish(self) -> None:
        self.plan.started.update(mail for mail in self.batch.started if mail not in self.plan.taken)
        for effect in self.batch.held:
            if self._state(effect) is EffectState.OPEN:
                self._settle(effect, EffectState.HELD)
        self.plan.cursors.update(self.batch.cursors)
        self.plan.steps = tuple(step for step in self.batch.steps if self._waits((step.actor, step.message)))
        self._chain((*self.batch.entries, *self._entries))
        self._number()

    def _refusal(self, turn: Turn) -> str:
        if turn.fence != self.batch.fence:
            return "fence"
        change = self.plan.actors.get(turn.actor)
        revision = change.revision if change else self.facts.revisions.get(turn.actor, 0)
        if turn.revision != revision or turn.actor in self._failed:
            return "revision"
        actor = turn.actor
        for message in (*turn.consumed, *turn.stashed, *turn.unstashed):
            if not self._waits((actor, message)):
                return "consumed"
        troubles: tuple[Attempt | Parking, ...] = (*turn.attempts, *turn.parked)
        return "" if all(self._waits((actor, one.message)) for one in troubles) else "consumed"

    def _mail(self, turn: Turn) -> None:
        actor = turn.actor
        for message in turn.consumed:
            self._take((actor, message))
        for attempt in turn.attempts:
            self._attempt((actor, attempt.message), attempt)
        for parking in turn.parked:
            self._park((actor, parking.message), parking)
        for message in turn.stashed:
            self._stash((actor, message))
        if turn.unstashed:
            self._unstash([(actor, message) for message in turn.unstashed])
        for timer in turn.timers_cancelled:
            self._cancel((actor, timer))
        for envelope in turn.sends:
            self._insert(envelope)

    def _advance(self, turn: Turn) -> None:
        before = self.plan.actors.get(turn.actor)
        keeps = turn.state is None and not turn.ended
        self.plan.actors[turn.actor] = ActorChange(
            revision=turn.revision + 1,
            last_turn=turn.id,
            sent=turn.sent,
            ended=turn.ended,
            state=before.state if before and keeps else None if turn.ended else turn.state,
            keeps_state=keeps and (before is None or before.keeps_state),
            is_new=turn.actor not in self.facts.revisions,
        )

    def _waits(self, mail: Mail) -> bool:
        return mail in self.plan.born or (mail in self.facts.mail and mail not in self.plan.taken)

    def _take(self, mail: Mail) -> Envelope | None:
        born = self.plan.born.pop(mail, None)
        rewritten = self.plan.rewritten.pop(mail, None)
        if born is None and mail in self.facts.mail:
            self.plan.taken[mail] = self.facts.mail[mail]
        return born or rewritten or self.facts.envelopes.get(mail)

    def _insert(self, envelope: Envelope) -> None:
        mail = (envelope.receiver, envelope.id)
        if envelope.timer:
            named = (envelope.receiver, envelope.timer)
            was_waiting = self._cancel(named)
            if not envelope.answer:
                self._timers[named] = envelope.id
            elif not was_waiting:
                self.plan.dropped.add(envelope.id)
                return
        if not self._waits(mail):
            self.plan.born[mail] = envelope

    def _cancel(self, named: Named) -> bool:
        """Take a timer out of its mailbox; False when none of that name waits."""
        message = self._timers.pop(named, None) or self.facts.timers.get(named)
        mail = (named[0], message or "")
        if message is None or mail in self._nameless or not self._waits(mail):
            return False
        self._take(mail)
        if self.facts.any_steps:  # its handler may have taken some, and failed
            self.plan.stepped.append(mail)
        return True

    def _attempt(self, mail: Mail, attempt: Attempt) -> None:
        home = self.plan.born if mail in self.plan.born else self.plan.rewritten
        envelope = home.get(mail) or self.facts.envelopes[mail]
        home[mail] = attrs.evolve(envelope, attempts=attempt.attempts, not_before=attempt.not_before)
        self.plan.errors[mail] = attempt.error

    def _park(self, mail: Mail, parking: Parking) -> None:
        envelope = self._take(mail)
        assert envelope is not None  # _refusal saw it wait
        self.plan.parked.append(Parked(envelope=envelope, reason=parking.reason, at=self.batch.at))

    def _stash(self, mail: Mail) -> None:
        envelope = self._take(mail)
        assert envelope is not None  # _refusal saw it wait
        self._nameless.add(mail)
        self.plan.born[mail] = stashed(envelope)

    def _unstash(self, stash: list[Mail]) -> None:
        self._front -= len(stash)
        for seq, mail in enumerate(stash, start=self._front):
            envelope = self._take(mail)
            assert envelope is not None  # _refusal saw it wait
            self.plan.born[mail] = attrs.evolve(envelope, seq=seq, due=0.0)

    def _state(self, effect: str) -> EffectState | None:
        if effect in self.plan.effects:
            return self.plan.effects[effect].state
        return self.plan.states.get(effect) or self.facts.effects.get(effect)

    def _settle(self, effect: str, state: EffectState) -> None:
        if effect in self.plan.effects:
            self.plan.effects[effect] = attrs.evolve(self.plan.effects[effect], state=state)
        else:
            self.plan.states[effect] = state

    def _reply(self, mail: Mail, reply: Record) -> None:
        key = self._keys.get(mail) or self.facts.keys.get(mail)
        if key is not None:
            self.plan.keys[mail[0], key] = Known(id=mail[1], reply=reply)

    def _chain(self, entries: Iterable[Entry]) -> None:
        seq = self.facts.entries + len(self.plan.entries)
        number = self.facts.batch + 1
        heads = self.plan.heads
        for entry in entries:
            seq += 1
            stream = entry.stream
            head = heads.get(stream) or self.facts.heads.get(stream) or BEGINNING
            position = head.position + 1
            at = entry.at
            if type(at) is not float or at == 0.0:
                at += 0.0
                entry = Entry(stream, entry.kind, at, entry.body)
            hash_ = chain(head.hash, position, entry)
            heads[stream] = Head(position=position, hash=hash_, number=head.number)
            line = LogEntry(
                seq=seq,
                stream=stream,
                position=position,
                kind=entry.kind,
                at=at,
                body=entry.body,
                batch=number,
                hash=hash_,
            )
            self.plan.entries.append(line)

    def _number(self) -> None:
        if self.plan.heads:
            heads = [(stream, head.position, head.hash) for stream, head in self.plan.heads.items()]
            self.plan.batch = self.facts.batch + 1
            self.plan.batch_hash = chain_batch(self.facts.batch_hash, self.plan.batch, self.batch.at + 0.0, heads)
