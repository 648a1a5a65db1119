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
    front: bool = False
    """Whether messages are put before all that wait."""


def needs(batch: Batch) -> Needs:
    """What `Facts` must hold for this batch."""
    found = Needs(effects={closure.effect for closure in batch.closures} | set(batch.held))
    for envelope in batch.appends:
        found.appended.append((envelope.receiver, envelope.id))
        if envelope.key:
            found.keys.add((envelope.receiver, envelope.key))
    found.mail.update(found.appended)
    sends = (envelope for turn in batch.turns for envelope in turn.sends)
    given = (*batch.appends, *(closure.envelope for closure in batch.closures), *sends)
    found.timers.update((envelope.receiver, envelope.timer) for envelope in given if envelope.timer)
    for turn in batch.turns:
        _needs_of(turn, found)
    found.streams.update(entry.stream for entry in batch.entries)
    return found


def _needs_of(turn: Turn, found: Needs) -> None:
    actor = turn.actor
    found.actors.add(actor)
    found.mail.update((actor, message) for message in turn.consumed)
    found.envelopes.update((actor, attempt.message) for attempt in turn.attempts)
    found.envelopes.update((actor, parking.message) for parking in turn.parked)
    found.envelopes.update((actor, message) for message in (*turn.stashed, *turn.unstashed))
    found.front = found.front or bool(turn.unstashed)
    found.timers.update((actor, timer) for timer in turn.timers_cancelled)
    found.effects.update(effect for effect, _ in turn.effects_settled)
    found.replied.update((actor, message) for message, _ in turn.replies)
    found.streams.update(entry.stream for entry in turn.entries)
