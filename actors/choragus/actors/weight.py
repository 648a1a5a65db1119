"""How much of the memory an item holds that waits for the disk."""

from __future__ import annotations

from choragus.mailbox.turn import Closure, Entry, Envelope, Step, Turn

from .item import Joint


def weight(item: object) -> int:
    """The bytes of all encoded values in it: messages, states, effects, lines, views, documents and replies."""
    match item:
        case Envelope():
            return len(item.record.body)
        case Turn():
            return _of_turn(item)
        case Joint():
            return sum(map(_of_turn, item.turns))
        case Closure():
            return len(item.envelope.record.body)
        case Step():
            return 0 if item.result is None else len(item.result.body)
        case Entry():
            return len(item.body)
        case _:
            return 0


def _of_turn(turn: Turn) -> int:
    """Most parts of most turns are empty, hence the plain loops."""
    total = 0 if turn.state is None else len(turn.state.body)
    for send in turn.sends:
        total += len(send.record.body)
    for effect in turn.effects:
        total += len(effect.record.body)
    for entry in turn.entries:
        total += len(entry.body)
    for view in turn.views:
        total += len(view.body or b"")
    for document in turn.documents:
        total += len(document.text or "") + len(document.fields) + len(document.vector)
    for _, reply in turn.replies:
        total += len(reply.body)
    return total
