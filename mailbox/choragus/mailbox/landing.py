"""Whether a batch is on disk whose commit failed: told by what it would have changed."""

from __future__ import annotations

from collections.abc import Callable

from .address import ActorId
from .need import Needs, needs
from .plan import Facts
from .turn import Batch, Committed, Entry, Known


def wanted(batch: Batch) -> Needs:
    """What has to be looked up to tell."""
    found = needs(batch)
    found.mail.update(found.appended)
    found.mail.update((closure.envelope.receiver, closure.envelope.id) for closure in batch.closures)
    return found


def landed(
    batch: Batch, facts: Facts, last_turn: Callable[[ActorId], str], is_logged: Callable[[Entry], bool]
) -> Committed | None:
    """What the commit gave; None when nothing of the batch is there. Its owner must have committed nothing since.

    Args:
        facts: as they are now, for what is `wanted`.
        last_turn: the id of an actor's last turn; its revision may have been moved on by whoever pruned it.
        is_logged: whether an entry stands in its stream.
    """
    known = {}
    for envelope in batch.appends:
        first = facts.known.get((envelope.receiver, envelope.key)) if envelope.key else None
        if first is not None and first.id != envelope.id:
            known[envelope.id] = first
    if not _is_there(batch, facts, known, last_turn, is_logged):
        return None
    taken = {(turn.actor, message) for turn in batch.turns for message in turn.consumed}
    taken.update((turn.actor, parking.message) for turn in batch.turns for parking in turn.parked)
    results = {closure.effect: (closure.envelope.receiver, closure.envelope.id) for closure in batch.closures}
    dropped = frozenset(effect for effect, mail in results.items() if mail not in facts.mail and mail not in taken)
    return Committed(batch=facts.batch, known=known, dropped=dropped)


def _is_there(
    batch: Batch,
    facts: Facts,
    known: dict[str, Known],
    last_turn: Callable[[ActorId], str],
    is_logged: Callable[[Entry], bool],
) -> bool:
    """One row decides, for it was all or nothing."""
    if batch.turns:
        actor = batch.turns[-1].actor
        return last_turn(actor) == batch.turns[-1].id
    for envelope in batch.appends:
        mail = (envelope.receiver, envelope.id)
        if envelope.id not in known:
            return mail in facts.mail or mail in facts.parked
    for closure in batch.closures:
        if (closure.envelope.receiver, closure.envelope.id) in facts.mail:
            return True
        if closure.effect in facts.effects:
            return False
    # a closure that would be dropped says nothing: its effect had come to its end before
    return any(is_logged(entry) for entry in batch.entries)
