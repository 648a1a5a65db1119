"""The store in memory: the same semantics in dictionaries, for systems without a file and for tests."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from operator import attrgetter
from time import time

import attrs

from . import searching
from .address import ActorId
from .document import Collection, Document, Hit
from .errors import FileInUse
from .landing import landed, wanted
from .memory_documents import MemoryDocuments
from .memory_log import MemoryLog
from .need import Mail, Named, Needs, needs
from .order import in_turn
from .plan import UNFINISHED, ActorChange, Facts, Plan, plan
from .turn import (
    ASIDE,
    Batch,
    Claim,
    Committed,
    Effect,
    EffectState,
    Envelope,
    Extent,
    Known,
    LogEntry,
    Parked,
    Pruned,
    Pruning,
    Rejected,
    Snapshot,
    Step,
    Tombstone,
    Verification,
    View,
    requeued,
)


@attrs.frozen(kw_only=True)
class Ownership:
    """Who owns the store. `open`: the owner has not closed it, so only its lease's end lets another in."""

    node: str
    fence: int
    expires: float
    clean: bool
    open: bool


class MemoryStore:
    """A `Store` that lasts as long as the object.

    To crash a system in a test, close the store without `release` (or let the lease run out) and open another system
    over the same object: it finds what was committed and an unclean end. Records carry no digests here, for nothing
    rots.
    """

    def __init__(self) -> None:
        self._owner: Ownership | None = None
        self._mail: dict[ActorId, dict[int, Envelope]] = {}
        self._seqs: dict[Mail, int] = {}
        self._timers: dict[Named, str] = {}
        self._started: set[Mail] = set()
        self._parked: dict[Mail, Parked] = {}
        self._actors: dict[ActorId, Snapshot] = {}
        self._effects: dict[str, Effect] = {}
        self._log = MemoryLog()
        self._views: dict[tuple[str, str], View] = {}
        self._known: dict[Named, Known] = {}
        self._keys: dict[Mail, str] = {}
        self._given: dict[Named, float] = {}
        self._cursors: dict[str, int] = {}
        self._steps: dict[Mail, dict[tuple[str, int], Step]] = {}
        self._documents = MemoryDocuments()
        self._messages = 0
        self._changed = False

    async def claim(self, node: str, ttl: float, now: float) -> Claim:
        """See `Store.claim`."""
        last = self._owner
        if last is not None and last.open and last.node != node and last.expires > now:
            raise FileInUse(f"the store is owned by node {last.node}: stop it, or close it")
        clean = last is None or last.clean
        if not clean:
            self._count_interruptions()
        self._started.clear()
        fence = last.fence + 1 if last else 1
        self._owner = Ownership(node=node, fence=fence, expires=now + ttl, clean=False, open=True)
        return Claim(fence=fence, clean=clean)

    async def renew(self, node: str, ttl: float, now: float) -> bool:
        """See `Store.renew`."""
        if self._owner is None or self._owner.node != node or self._owner.clean:
            return False
        self._owner = attrs.evolve(self._owner, expires=now + ttl)
        return True

    async def release(self, node: str) -> None:
        """See `Store.release`."""
        if self._owner is not None and self._owner.node == node:
            self._owner = attrs.evolve(self._owner, expires=0.0, clean=True, open=False)

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """See `Store.commit`."""
        if self._owner is None or (self._owner.node, self._owner.fence) != (batch.node, batch.fence):
            return Rejected(fenced=True)
        return self._write(batch)

    async def append(self, envelopes: Sequence[Envelope]) -> Committed:
        """See `Store.append`."""
        outcome = self._write(Batch(node="", fence=0, at=time(), appends=tuple(envelopes)))
        assert isinstance(outcome, Committed)  # a batch without turns has no offender
        self._changed = True
        return outcome

    async def load(self, actor: ActorId) -> Snapshot:
        """See `Store.load`."""
        stash = tuple(envelope.id for envelope in self._mail.get(actor, {}).values() if envelope.due == ASIDE)
        return attrs.evolve(self._actors.get(actor, Snapshot()), stash=stash)

    async def fetch(self, actor: ActorId, limit: int, now: float) -> list[Envelope]:
        """See `Store.fetch`; a message that waits out a backoff is in its place, with its `not_before`."""
        due = [envelope for envelope in self._mail.get(actor, {}).values() if envelope.due <= now]
        timers = sorted(filter(_is_timer, due), key=attrgetter("due", "seq"))
        return in_turn(due[:limit], _is_timer, lambda first: timers[:first])

    async def waiting(self, now: float) -> list[ActorId]:
        """See `Store.waiting`; the longest waiting first."""
        first = {
            actor: min((seq for seq, envelope in mail.items() if envelope.due <= now), default=None)
            for actor, mail in self._mail.items()
        }
        return [actor for _, actor in sorted((seq, actor) for actor, seq in first.items() if seq is not None)]

    async def next_due(self, now: float) -> float | None:
        """See `Store.next_due`."""
        dues = (envelope.due for mail in self._mail.values() for envelope in mail.values())
        return min((due for due in dues if now < due < ASIDE), default=None)

    async def rings(self, now: float) -> list[Envelope]:
        """See `Store.rings`."""
        waiting = (envelope for mail in self._mail.values() for envelope in mail.values() if envelope.due > now)
        return [one for one in waiting if one.timer and one.reply_then and not (one.reply_to or one.answer)]

    async def effects(self) -> list[Effect]:
        """See `Store.effects`."""
        unfinished = (EffectState.OPEN, EffectState.HELD)
        found = [effect for effect in self._effects.values() if effect.state in unfinished]
        return sorted(found, key=attrgetter("created", "id"))

    async def steps(self, actor: ActorId, message: str) -> list[Step]:
        """See `Store.steps`."""
        return sorted(self._steps.get((actor, message), {}).values(), key=attrgetter("name", "number"))

    async def read(self, stream: str, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """See `Store.read`."""
        return self._log.read(stream, after, limit)

    async def extent(self, stream: str) -> Extent:
        """See `Store.extent`."""
        return self._log.extent(stream)

    async def log(self, after: int = 0, limit: int = 1000) -> list[LogEntry]:
        """See `Store.log`."""
        return self._log.all(after, limit)

    async def views(self, kind: str, scope: str | None = None) -> list[View]:
        """See `Store.views`."""
        found = [view for view in self._views.values() if view.kind == kind and scope in (None, view.scope)]
        return sorted(found, key=attrgetter("sort", "key"))

    async def view(self, kind: str, key: str) -> View | None:
        """See `Store.view`."""
        return self._views.get((kind, key))

    async def search(self, collection: str, query: str, limit: int = 10) -> list[Hit]:
        """See `Store.search`."""
        return self._documents.ask(searching.search, collection, query, limit)

    async def document(self, collection: str, id: str) -> Document | None:
        """See `Store.document`."""
        return self._documents.ask(searching.document, collection, id)

    async def documents(self, collection: str, after: int = 0, limit: int = 1000) -> list[Document]:
        """See `Store.documents`."""
        return self._documents.ask(searching.documents, collection, after, limit)

    async def picked(self, numbers: Sequence[int]) -> list[Document]:
        """See `Store.picked`."""
        return self._documents.ask(searching.picked, numbers)

    async def document_ids(
        self, collection: str, *, subject: str | None = None, before: float = inf, limit: int = 1000
    ) -> list[str]:
        """See `Store.document_ids`."""
        return self._documents.ask(searching.ids, collection, subject, before, limit)

    async def vectors(self, collection: str, after: int = 0, limit: int = 1000) -> list[tuple[int, bytes]]:
        """See `Store.vectors`."""
        return self._documents.ask(searching.vectors, collection, after, limit)

    async def collections(self, name: str | None = None) -> list[Collection]:
        """See `Store.collections`."""
        return self._documents.ask(searching.collections, name)

    async def parked(self) -> list[Parked]:
        """See `Store.parked`."""
        return sorted(self._parked.values(), key=attrgetter("at"))

    async def requeue(self, receiver: ActorId, message: str) -> bool:
        """See `Store.requeue`."""
        parked = self._parked.pop((receiver, message), None)
        if parked is None:
            return False
        is_timer = (receiver, parked.envelope.timer) not in self._timers
        self._put(requeued(parked.envelope, is_timer=is_timer))
        self._changed = True
        return True

    async def cursor(self, name: str) -> int:
        """See `Store.cursor`."""
        return self._cursors.get(name, 0)

    async def changed(self) -> bool:
        """See `Store.changed`; whatever did not come by `commit` is somebody else's."""
        changed, self._changed = self._changed, False
        return changed

    async def prune(self, pruning: Pruning) -> Pruned:
        """See `Store.prune`."""
        self._changed = True
        in_use = self._in_use(pruning)
        if in_use or not pruning.limit:
            return Pruned(in_use=in_use)
        entries = sum(self._log.bury(stream, upto, pruning.at) for stream, upto in pruning.streams.items())
        records = self._clear(pruning)
        states = sum(self._end(actor) for actor in pruning.actors)
        for identity in pruning.views:
            self._views.pop(identity, None)
        return Pruned(entries=entries, records=records, states=states, done=True)

    async def tombstones(self) -> list[Tombstone]:
        """See `Store.tombstones`."""
        return self._log.tombstones()

    async def verify(self) -> Verification:
        """See `Store.verify`."""
        return self._log.verify()

    async def landed(self, batch: Batch) -> Committed | None:
        """See `Store.landed`."""
        return landed(batch, self._facts(wanted(batch)), self._last_turn, self._log.has)

    def _last_turn(self, actor: ActorId) -> str:
        return self._actors.get(actor, Snapshot()).last_turn

    async def reopen(self) -> None:
        """See `Store.reopen`; nothing is ever unknown here."""
        self._changed = True

    async def close(self) -> None:
        """See `Store.close`; what was written stays, for whoever claims this object next."""
        if self._owner is not None:
            self._owner = attrs.evolve(self._owner, open=False)

    def _count_interruptions(self) -> None:
        for receiver, message in self._started:
            mail, seq = self._mail.get(receiver, {}), self._seqs.get((receiver, message), 0)
            if seq in mail:
                mail[seq] = attrs.evolve(mail[seq], interrupted=mail[seq].interrupted + 1)
        for effect in tuple(self._effects.values()):
            if effect.state is EffectState.OPEN:
                self._effects[effect.id] = attrs.evolve(effect, attempts=effect.attempts + 1)

    def _write(self, batch: Batch) -> Committed | Rejected:
        changes = plan(batch, self._facts(needs(batch)))
        if isinstance(changes, Rejected):
            return changes
        if changes.documents or changes.scrubbed:
            self._documents.put(tuple(changes.documents.values()), changes.scrubbed)
        self._write_mail(changes)
        for actor, change in changes.actors.items():
            self._actors[actor] = self._snapshot(actor, change)
        self._effects.update(changes.effects)
        for effect, state in changes.states.items():
            self._effects[effect] = attrs.evolve(self._effects[effect], state=state)
        for effect in (*changes.effects, *changes.states):
            if self._effects[effect].state not in UNFINISHED:
                del self._effects[effect]
        self._write_rows(changes, batch.at)
        self._log.write(changes, batch.at)
        return Committed(batch=changes.batch, known=changes.known, dropped=frozenset(changes.dropped))

    def _facts(self, wanted: Needs) -> Facts:
        timers = {named: self._timers[named] for named in wanted.timers if named in self._timers}
        mail = wanted.mail | wanted.envelopes | {(named[0], message) for named, message in timers.items()}
        return Facts(
            messages=self._messages,
            front=min((*self._seqs.values(), 0)) if wanted.front else 0,
            entries=self._log.entries,
            batch=self._log.batch,
            batch_hash=self._log.batch_hash,
            revisions={actor: self._actors[actor].revision for actor in wanted.actors if actor in self._actors},
            mail={one: self._seqs[one] for one in mail if one in self._seqs},
            envelopes={one: self._mail[one[0]][self._seqs[one]] for one in wanted.envelopes if one in self._seqs},
            parked=frozenset(one for one in wanted.appended if one in self._parked),
            timers=timers,
            effects={effect: self._effects[effect].state for effect in wanted.effects if effect in self._effects},
            any_steps=bool(self._steps),
            known=self._known,
            keys=self._keys,
            heads=self._log.heads,
        )

    def _write_mail(self, changes: Plan) -> None:
        for mail in changes.taken:
            self._take(mail)
        for mail, envelope in changes.rewritten.items():
            self._mail[mail[0]][envelope.seq] = envelope
            self._started.discard(mail)
        for parked in changes.parked:
            mail = (parked.envelope.receiver, parked.envelope.id)
            self._parked.pop(mail, None)  # a second one of that name goes to the end
            self._parked[mail] = parked
        for envelope in changes.born.values():
            self._put(envelope)
        self._started.update(mail for mail in changes.started if mail in self._seqs)

    def _put(self, envelope: Envelope) -> None:
        mail = (envelope.receiver, envelope.id)
        if mail in self._seqs:
            return
        self._messages += 1
        seq = min(envelope.seq, 0) or self._messages
        self._seqs[mail] = seq
        waiting = self._mail.setdefault(envelope.receiver, {})
        waiting[seq] = attrs.evolve(envelope, seq=seq)
        if seq < 0:
            self._mail[envelope.receiver] = dict(sorted(waiting.items()))
        if envelope.timer and not envelope.answer:
            self._timers[envelope.receiver, envelope.timer] = envelope.id

    def _take(self, mail: Mail) -> None:
        envelope = self._mail[mail[0]].pop(self._seqs.pop(mail))
        self._started.discard(mail)
        if self._timers.get((envelope.receiver, envelope.timer)) == envelope.id:
            del self._timers[envelope.receiver, envelope.timer]
        if not self._mail[mail[0]]:
            del self._mail[mail[0]]

    def _snapshot(self, actor: ActorId, change: ActorChange) -> Snapshot:
        before = self._actors.get(actor, Snapshot())
        return Snapshot(
            revision=change.revision,
            state=before.state if change.keeps_state else change.state,
            last_turn=change.last_turn,
            sent=change.sent,
            ended=change.ended,
        )

    def _write_rows(self, changes: Plan, at: float) -> None:
        for identity, view in changes.views.items():
            if view.body is None:
                self._views.pop(identity, None)
            else:
                self._views[identity] = view
        for named, known in changes.keys.items():
            self._known[named] = known
            self._given[named] = at
            self._keys[named[0], known.id] = named[1]
        self._cursors.update(changes.cursors)
        for step in changes.steps:
            self._steps.setdefault((step.actor, step.message), {})[step.name, step.number] = step
        for mail in changes.stepped:
            self._steps.pop(mail, None)

    # Pruning; here a whole `Pruning` is done at once, for nobody waits.

    def _in_use(self, pruning: Pruning) -> str:
        for actor in pruning.actors:
            for envelope in self._mail.get(actor, {}).values():
                return f"message {envelope.id!r} waits for {actor}"
            for effect in sorted(self._effects.values(), key=attrgetter("created", "id")):
                if effect.actor == actor and effect.state in (EffectState.OPEN, EffectState.HELD):
                    return f"effect {effect.id!r} of {actor} is not finished"
        for stream, upto in pruning.streams.items():
            seq = self._log.last_seq(stream, upto)
            for name, position in sorted(self._cursors.items()):
                if position < seq:
                    return (
                        f"reader {name!r} has come to entry {position} of the file, and stream {stream!r} goes to {seq}"
                    )
        return ""

    def _clear(self, pruning: Pruning) -> int:
        actors = frozenset(pruning.actors)
        effects = [effect.id for effect in self._effects.values() if effect.actor in actors]
        parked = [mail for mail in self._parked if mail[0] in actors]
        self._steps = {mail: steps for mail, steps in self._steps.items() if mail[0] not in actors}
        known = [named for named in self._known if named[0] in actors or self._is_old(named, pruning.keys_before)]
        for effect in effects:
            del self._effects[effect]
        for mail in parked:
            del self._parked[mail]
        for named in known:
            self._keys.pop((named[0], self._known.pop(named).id), None)
            self._given.pop(named, None)
        return len(effects) + len(parked) + len(known)

    def _is_old(self, named: Named, before: float) -> bool:
        mail = (named[0], self._known[named].id)
        return self._given[named] < before and mail not in self._seqs and mail not in self._parked

    def _end(self, actor: ActorId) -> bool:
        was = self._actors.get(actor)
        if was is None or (was.ended and was.state is None):
            return False
        self._actors[actor] = attrs.evolve(was, revision=was.revision + 1, state=None, ended=True)
        return True


def _is_timer(envelope: Envelope) -> bool:
    return bool(envelope.timer and not envelope.answer and envelope.due > 0)
