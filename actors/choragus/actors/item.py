"""What waits for the disk, and which of it stands upon what."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.turn import Closure, Committed, Entry, Envelope, Rejected, Step, Turn

Done = Callable[[Committed | Rejected], None]
"""Told on the loop what became of a turn."""

Landed = Callable[[Committed], None]
"""Told on the loop that an item which is no turn is on disk; only turns can be refused."""


@attrs.frozen
class Cursor:
    """A reader's new position."""

    name: str
    position: int


@attrs.frozen
class Held:
    """An effect that is known not to have started."""

    effect: str


@attrs.frozen
class Mark:
    """Nothing of its own: makes a batch, and with it the marks of the turns that run."""


@attrs.frozen
class Joint:
    """Turns of several actors, each with another one: on disk they are together, or none of them is."""

    turns: tuple[Turn, ...]


Plain = Mark | Envelope | Closure | Entry | Step | Cursor | Held
Item = Turn | Joint | Plain


@attrs.frozen(eq=False)
class Line:
    """An item, and who wants to know."""

    item: Item
    done: Done
    weight: int


def turns_of(item: Item) -> tuple[Turn, ...]:
    """The turns in it, in their order."""
    if isinstance(item, Turn):
        return (item,)
    return item.turns if isinstance(item, Joint) else ()


def fallen(lines: Collection[Line], is_lost: Callable[[Line], bool]) -> tuple[list[Line], list[Line]]:
    """Those that are lost or stand upon what is lost, and the rest; both in their order.

    A turn stands upon the turns of its actor before it, and upon whoever wrote the messages that it names.
    """
    lost: list[Line] = []
    kept: list[Line] = []
    actors: set[ActorId] = set()
    messages: set[tuple[ActorId, str]] = set()
    for line in lines:
        turns = turns_of(line.item)
        if not (is_lost(line) or any(_stands_upon(turn, actors, messages) for turn in turns)):
            kept.append(line)
            continue
        lost.append(line)
        for turn in turns:
            actors.add(turn.actor)
            messages.update((send.receiver, send.id) for send in turn.sends)
    return lost, kept


def together(lines: Sequence[Line]) -> int:
    """How many of these, from the first on, may be written in one batch.

    A batch plans results before turns. One that came when a turn before it had settled its effect is too late, and has
    to be planned behind that turn: it is left for the next batch.
    """
    settled: set[str] = set()
    for number, line in enumerate(lines):
        item = line.item
        if isinstance(item, Turn):
            if item.effects_settled:
                settled.update(effect for effect, _ in item.effects_settled)
        elif isinstance(item, Joint):
            settled.update(effect for turn in item.turns for effect, _ in turn.effects_settled)
        elif settled and isinstance(item, Closure) and item.effect in settled:
            return number
    return len(lines)


def _stands_upon(turn: Turn, actors: set[ActorId], messages: set[tuple[ActorId, str]]) -> bool:
    if turn.actor in actors:
        return True
    named = [*turn.consumed, *turn.stashed, *turn.unstashed]
    named += [one.message for one in turn.attempts]
    named += [one.message for one in turn.parked]
    return any((turn.actor, message) in messages for message in named)
