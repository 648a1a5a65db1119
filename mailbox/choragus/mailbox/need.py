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
    """What has to be looked up before a batch can be planned.

    A message that is appended, and is no timer, is not: the store passes over one that is there when it writes.
    """

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
        mail = (envelope.receiver, envelope.id)
        found.appended.append(mail)
        if envelope.key:
            found.keys.add((envelope.receiver, envelope.key))
        if envelope.timer:
            found.timers.add((envelope.receiver, envelope.timer))
        if envelope.timer or mail in batch.started:
            found.mail.add(mail)
    found.timers.update((one.envelope.receiver, one.envelope.timer) for one in batch.closures if one.envelope.timer)
    for turn in batch.turns:
        _needs_of(turn, found)
    found.mail.update((step.actor, step.message) for step in batch.steps)
    found.streams.update(entry.stream for entry in batch.entries)
    return found


def _needs_of(turn: Turn, found: Needs) -> None:
    """Most parts of most turns are empty, and a batch has hundreds: hence the plain loops."""
    actor = turn.actor
    found.actors.add(actor)
    for message in turn.consumed:
        found.mail.add((actor, message))
    for envelope in turn.sends:
        if envelope.timer:
            found.timers.add((envelope.receiver, envelope.timer))
    for entry in turn.entries:
        found.streams.add(entry.stream)
    for attempt in turn.attempts:
        found.envelopes.add((actor, attempt.message))
    for parking in turn.parked:
        found.envelopes.add((actor, parking.message))
    for message in (*turn.stashed, *turn.unstashed):
        found.envelopes.add((actor, message))
    if turn.unstashed:
        found.front = True
    for timer in turn.timers_cancelled:
        found.timers.add((actor, timer))
    for effect, _ in turn.effects_settled:
        found.effects.add(effect)
    for message, _ in turn.replies:
        found.replied.add((actor, message))
