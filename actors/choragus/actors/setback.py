"""The turns of what went wrong: a failed attempt, and a message that is parked."""

from __future__ import annotations

import attrs

from choragus.mailbox.codec import Record, encode
from choragus.mailbox.turn import Attempt, Envelope, Parking, Turn

from .draft import Draft
from .event import Events, Failed
from .inside import CURRENT
from .message import AskFailed
from .standing import Standing


def failed_turn(standing: Standing, path: str, envelope: Envelope, why: str, not_before: float) -> Turn:
    """One more failed attempt at the message; nothing else of the turn is left."""
    attempts = envelope.attempts + 1
    draft = standing.draft(None)
    draft.entry(standing.stream(), "actor.failed", _note(path, envelope, reason=why, attempts=attempts))
    attempt = Attempt(message=envelope.id, attempts=attempts, error=why, not_before=not_before)
    return attrs.evolve(draft.close(None, ()), attempts=(attempt,))


def parked_turn(
    standing: Standing, path: str, envelope: Envelope, message: object, why: str, events: Events
) -> tuple[Turn, Draft]:
    """The message out of the way, whoever asked for it told, and what the actor's `on_parked` does about it."""
    parking = Parking(message=envelope.id, reason=why)
    draft = standing.draft(None)
    state: Record | None = None
    if not standing.ended:
        try:
            state = _on_parked(standing, draft, message, parking)
        except Exception as error:
            events.publish(Failed(path, error, "on_parked"))
            standing.fresh()
            draft = standing.draft(None)
    draft.rings_on(envelope)
    draft.entry(standing.stream(), "message.parked", _note(path, envelope, reason=why))
    if envelope.reply_to:
        draft.answer(envelope, encode(AskFailed(standing.id, why)))
    return attrs.evolve(draft.close(state, ()), parked=(parking,)), draft


def _on_parked(standing: Standing, draft: Draft, message: object, parking: Parking) -> Record | None:
    token = CURRENT.set(draft)
    try:
        actor = standing.instance()
        actor._draft = draft
        actor.on_parked(message, parking)
        return standing.changed_state(actor)
    finally:
        CURRENT.reset(token)


def _note(path: str, envelope: Envelope, **fields: object) -> bytes:
    return encode({"actor": path, "message": envelope.id, "type": envelope.record.tag, **fields}).body
