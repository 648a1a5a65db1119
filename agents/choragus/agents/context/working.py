"""The conversation as far as it is still shown: what the decisions of a run make of its lines. Pure.

It is made line by line and decision by decision, and holds only what is shown, so a step costs what the budget holds
and not what was ever said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import attrs

from choragus.agents.flow.label import USER
from choragus.agents.model import ChatMessage, weight

from .decision import Decision, Dropped, Edited, Fetched, Framed, InHand, Pinned, Ranges, Shortened, Stubbed, Summarised


@attrs.frozen(kw_only=True)
class Item:
    """A line that is shown, as it is shown. `unit` is where the unit begins that stays or goes together.

    `form` is "whole", "shortened" or "stub", `by` what made it so, `pin` the rule that pins it, or empty.
    """

    position: int
    unit: int
    message: ChatMessage
    weight: int
    form: str = "whole"
    by: str = ""
    pin: str = ""

    def shown_as(self, message: ChatMessage, form: str, by: str) -> Item:
        """The same line in another form."""
        return attrs.evolve(self, message=message, weight=weight(message), form=form, by=by)


@attrs.frozen(kw_only=True)
class Working:
    """What is shown of the conversation up to position `upto`, by the decisions up to `version`."""

    upto: int = 0
    version: int = 0
    items: tuple[Item, ...] = ()
    frame: Framed | None = None
    summary: Summarised | None = None
    found: Mapping[int, Fetched] = attrs.field(factory=dict)
    blocks: Mapping[str, Edited] = attrs.field(factory=dict)
    calls: Mapping[str, Edited] = attrs.field(factory=dict)
    first_user: int = 0
    last_user: int = 0
    unit: int = 0
    in_hand: int = 0

    def hear(self, messages: Sequence[ChatMessage]) -> Working:
        """With the next lines of the conversation."""
        first, last, unit, position = self.first_user, self.last_user, self.unit, self.upto
        items = list(self.items)
        for message in messages:
            position += 1
            unit = unit if message.role == "tool" and unit else position
            if is_of_the_user(message):
                first, last = first or position, position
            items.append(Item(position=position, unit=unit, message=message, weight=weight(message)))
        return attrs.evolve(self, upto=position, items=tuple(items), first_user=first, last_user=last, unit=unit)

    def decided(self, *decisions: Decision) -> Working:
        """With the next decisions."""
        working = self
        for decision in decisions:
            working = attrs.evolve(_decided(working, decision), version=working.version + 1)
        return working

    def pin(self, item: Item) -> str:
        """Why the line is never lost, or nothing."""
        if item.position == self.first_user:
            return "the first line of the user"
        if item.position == self.in_hand:
            return "the step in hand"
        return "the latest line of the user" if item.position == self.last_user else item.pin

    def pinned_units(self) -> frozenset[int]:
        """The units with a line that is never lost."""
        return frozenset(item.unit for item in self.items if self.pin(item))

    def text_of(self, label: str) -> str:
        """What a block holds."""
        if label in self.blocks:
            return self.blocks[label].text
        return next((one.text for one in self.frame.blocks if one.label == label), "") if self.frame else ""


def is_of_the_user(message: ChatMessage) -> bool:
    """Whether a line is the user's own, and not the runtime's or a summary."""
    return message.role == "user" and message.labels in ((), (USER,))


def stub(message: ChatMessage) -> ChatMessage:
    """One line in the place of a result; of another line nothing but that it was there."""
    what = f"result of {message.name}" if message.role == "tool" else "text"
    text = f"[{what} left out to save room: {len(message.text):,} characters]"
    return attrs.evolve(message, text=text, images=())


def shortened(message: ChatMessage, to: int) -> ChatMessage:
    """The beginning of a line."""
    if len(message.text) <= to:
        return message
    text = f"{message.text[:to]}\n[shortened to save room: {to:,} of {len(message.text):,} characters]"
    return attrs.evolve(message, text=text)


def ranges_of(positions: Iterable[int]) -> Ranges:
    """The positions, which ascend, as ranges.

    >>> ranges_of([2, 3, 4, 9])
    ((2, 4), (9, 9))
    """
    found: list[tuple[int, int]] = []
    for position in positions:
        if found and found[-1][1] == position - 1:
            found[-1] = (found[-1][0], position)
        else:
            found.append((position, position))
    return tuple(found)


def positions_in(ranges: Ranges) -> frozenset[int]:
    """All positions of the ranges."""
    return frozenset(position for first, last in ranges for position in range(first, last + 1))


def _decided(working: Working, decision: Decision) -> Working:
    items = working.items
    match decision:
        case Framed():
            return attrs.evolve(working, frame=decision)
        case Pinned():
            named = frozenset(decision.positions)
            pinned = tuple(attrs.evolve(one, pin=decision.by) if one.position in named else one for one in items)
            return attrs.evolve(working, items=pinned)
        case InHand():
            return attrs.evolve(working, in_hand=decision.position)
        case Dropped():
            return attrs.evolve(working, items=_without(items, decision.ranges))
        case Stubbed():
            made = {one.position: one.shown_as(stub(one.message), "stub", decision.by) for one in items}
            return attrs.evolve(working, items=_instead(items, made, decision.positions))
        case Shortened():
            to, by = decision.to, decision.by
            made = {
                one.position: one.shown_as(shortened(one.message, to), "shortened", by)
                for one in items
                if one.position in decision.positions
            }
            return attrs.evolve(working, items=_instead(items, made, decision.positions))
        case Summarised():
            return attrs.evolve(working, items=_without(items, decision.ranges), summary=decision)
        case Fetched():
            return attrs.evolve(working, found={**working.found, decision.index: decision})
        case Edited():
            calls = {call: one for call, one in working.calls.items() if one.step == decision.step}
            return attrs.evolve(
                working,
                blocks={**working.blocks, decision.label: decision},
                calls={**calls, decision.call: decision},
            )


def _without(items: tuple[Item, ...], ranges: Ranges) -> tuple[Item, ...]:
    gone = positions_in(ranges)
    return tuple(one for one in items if one.position not in gone)


def _instead(items: tuple[Item, ...], made: Mapping[int, Item], positions: Collection[int]) -> tuple[Item, ...]:
    named = frozenset(positions)
    return tuple(made[one.position] if one.position in named else one for one in items)
