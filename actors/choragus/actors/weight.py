"""How much of the memory an item holds that waits for the disk."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.mailbox.codec import Record
from choragus.mailbox.turn import Closure, Entry, Envelope, Step, Turn


def weight(item: object) -> int:
    """The bytes of all encoded values in it: messages, states, effects, lines, views and replies."""
    match item:
        case Envelope():
            return len(item.record.body)
        case Turn():
            return _of_turn(item)
        case Closure():
            return len(item.envelope.record.body)
        case Step():
            return 0 if item.result is None else len(item.result.body)
        case Entry():
            return len(item.body)
        case _:
            return 0


def _of_turn(turn: Turn) -> int:
    total = 0 if turn.state is None else len(turn.state.body)
    if turn.sends:
        total += _records(send.record for send in turn.sends)
    if turn.effects:
        total += _records(effect.record for effect in turn.effects)
    if turn.entries:
        total += sum(len(entry.body) for entry in turn.entries)
    if turn.views:
        total += sum(len(view.body or b"") for view in turn.views)
    if turn.replies:
        total += _records(reply for _, reply in turn.replies)
    return total


def _records(records: Iterable[Record]) -> int:
    return sum(len(record.body) for record in records)
