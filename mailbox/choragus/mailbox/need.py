"""What a store has to look up before a batch can be planned."""

from __future__ import annotations

import attrs

from .address import ActorId
from .turn import Batch, Turn

Mail = tuple[ActorId, str]
"""Receiver and message id."""

Named = tuple[ActorId, str]
"""Receiver and the name of a timer, or a key."""


@attrs.define(kw_only=True)
class Needs:
    """What has to be looked up before a batch can be planned."""

    actors: set[ActorId] = attrs.field(factory=set)
    mail: set[Mail] = attrs.field(factory=set)
    envelopes: set[Mail] = attrs.field(factory=set)
    appended: list[Mail] = attrs.field(factory=list)
    timers: set[Named] = attrs.field(factory=set)
    effects: set[str] = attrs.field(factory=set)
    keys: set[Named] = attrs.field(factory=set)
    replied: set[Mail] = attrs.field(factory=set)
    streams: set[str] = attrs.field(factory=set)


def needs(batch: Batch) -> Needs:
    """What `Facts` must hold for this batch."""
    found = Needs(effects={closure.effect for closure in batch.closures} | set(batch.held))
    born = {(closure.envelope.receiver, closure.envelope.id) for closure in batch.closures}
    for envelope in batch.appends:
        found.appended.append((envelope.receiver, envelope.id))
        if envelope.key:
            found.keys.add((envelope.receiver, envelope.key))
    found.mail.update(found.appended)
    sent = [envelope for turn in batch.turns for envelope in turn.sends]
    sent += [closure.envelope for closure in batch.closures]
    found.timers.update((envelope.receiver, envelope.timer) for envelope in (*sent, *batch.appends) if envelope.timer)
    born.update((envelope.receiver, envelope.id) for envelope in sent)
    for turn in batch.turns:
        _needs_of(turn, born, found)
    found.streams.update(entry.stream for entry in batch.entries)
    return found


def _needs_of(turn: Turn, born: set[Mail], found: Needs) -> None:
    actor = turn.actor
    found.actors.add(actor)
    for message in turn.consumed:
        if (actor, message) not in born:
            found.mail.add((actor, message))
    for message in (*(one.message for one in turn.attempts), *(one.message for one in turn.parked)):
        if (actor, message) not in born:
            found.envelopes.add((actor, message))
    for timer in turn.timers_cancelled:
        found.timers.add((actor, timer))
    for effect, _ in turn.effects_settled:
        found.effects.add(effect)
    for message, _ in turn.replies:
        found.replied.add((actor, message))
    for entry in turn.entries:
        found.streams.add(entry.stream)
