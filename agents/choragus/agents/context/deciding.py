"""How a context is brought within its budget: which decisions follow from what is shown. Pure, and no chance in it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import attrs

from choragus.agents.model import CHARACTERS_PER_TOKEN

from .assembly import Assembled, assemble
from .decision import Decision, Dropped, Pinned, Ranges, Shortened, Stubbed
from .option import Context
from .strategy import DropResults, MessageRule, Summarise, Window
from .working import Item, Working, positions_in, ranges_of, shortened, stub

LEAST = 400
"""Characters below which lines are not worth a summary."""


@attrs.frozen(kw_only=True)
class Asked:
    """A summary is to be made of these lines, by the strategy of that place."""

    strategy: int
    ranges: Ranges


@attrs.frozen(kw_only=True)
class Outcome:
    """What was decided, what is shown then, and what is still to be done.

    `summary`: it has to be made before one can go on. `excess`: it does not fit, and why.
    """

    decisions: tuple[Decision, ...]
    working: Working
    assembled: Assembled
    tokens: int
    summary: Asked | None = None
    excess: str = ""


def decide(context: Context, working: Working, *, step: int, ratio: float = 1.0, first: int = 0) -> Outcome:
    """Bring what is shown within the budget.

    Args:
        working: with its frame, and with the lines of this step.
        ratio: tokens that the model counts for each one that is estimated.
        first: the strategies before this place have had their turn.
    """
    made: list[Decision] = [] if first else list(_pins(context, working, step))
    now = working.decided(*made)
    for place, strategy in enumerate(context.compaction):
        if place < first or _fits(context, now, ratio):
            continue
        if isinstance(strategy, Summarise):
            ranges = _to_summarise(context, strategy, now)
            if ranges:
                return _outcome(context, made, now, ratio, Asked(strategy=place, ranges=ranges))
            continue
        found = _applied(context, place, now, step)
        made += found
        now = now.decided(*found)
    return _outcome(context, made, now, ratio, None)


def _outcome(context: Context, made: Sequence[Decision], now: Working, ratio: float, asked: Asked | None) -> Outcome:
    assembled = assemble(now)
    tokens = math.ceil(assembled.tokens * ratio)
    is_over = asked is None and tokens > context.budget_tokens
    return Outcome(
        decisions=tuple(made),
        working=now,
        assembled=assembled,
        tokens=tokens,
        summary=asked,
        excess=_excess(context, assembled, tokens) if is_over else "",
    )


def _fits(context: Context, working: Working, ratio: float) -> bool:
    return math.ceil(assemble(working).tokens * ratio) <= context.budget_tokens


def _excess(context: Context, assembled: Assembled, tokens: int) -> str:
    sizes: dict[str, int] = {"tools": assembled.fixed}
    for piece in assembled.pieces:
        sizes[piece.section] = sizes.get(piece.section, 0) + piece.weight
    largest = max(sizes, key=lambda name: sizes[name])
    took = math.ceil(sizes[largest] / CHARACTERS_PER_TOKEN)
    return (
        f"context is limited to {context.budget_tokens:,} tokens, and {tokens:,} are left when all that may be "
        f"compacted is ({took:,} of them {largest}): raise Context(budget_tokens=...), or give a further strategy, "
        "such as MessageRule(then='shorten', larger_than=...)"
    )


def _pins(context: Context, working: Working, step: int) -> Iterator[Decision]:
    """What rules pin of the lines that no decision has seen."""
    for number, rule in enumerate(context.pins, 1):
        hit = tuple(item.position for item in working.items if not item.pin and rule.matches(item.message))
        if hit:
            yield Pinned(step=step, upto=working.upto, positions=hit, by=f"rule {number}")


def _applied(context: Context, place: int, working: Working, step: int) -> list[Decision]:
    strategy, by = context.compaction[place], f"{context.compaction[place].name} {place + 1}"
    match strategy:
        case DropResults():
            hit = _old_results(strategy, working)
            return [Stubbed(step=step, upto=working.upto, positions=hit, by=by)] if hit else []
        case Window():
            ranges = _outside(context, strategy, working)
            return [Dropped(step=step, upto=working.upto, ranges=ranges, by=by)] if ranges else []
        case MessageRule():
            return _ruled(strategy, working, step, by)
        case Summarise():
            return []  # it takes a model, and that is not for here


def _old_results(strategy: DropResults, working: Working) -> tuple[int, ...]:
    units = list(dict.fromkeys(item.unit for item in working.items if item.message.role == "tool"))
    old = frozenset(units[: -strategy.older_than]) - working.pinned_units()
    return tuple(
        item.position
        for item in working.items
        if item.unit in old
        and item.message.role == "tool"
        and item.form != "stub"
        and len(item.message.text) > strategy.larger_than
        and item.message.name not in strategy.keep
    )


def _outside(context: Context, strategy: Window, working: Working) -> Ranges:
    """What is older than the window, without what is pinned. What came last is inside however large it is."""
    most = context.budget_tokens // 2 if strategy.tokens is None else strategy.tokens
    if strategy.messages is not None:
        return _older(working, strategy.messages, lambda item: 1)
    return _older(working, most * CHARACTERS_PER_TOKEN, lambda item: item.weight)


def _to_summarise(context: Context, strategy: Summarise, working: Working) -> Ranges:
    keep = context.budget_tokens // 3 if strategy.keep_tokens is None else strategy.keep_tokens
    ranges = _older(working, keep * CHARACTERS_PER_TOKEN, lambda item: item.weight)
    positions = positions_in(ranges)
    gone = sum(item.weight for item in working.items if item.position in positions)
    return ranges if gone >= LEAST else ()


def _older(working: Working, most: int, measure: Callable[[Item], int]) -> Ranges:
    """The units before the latest that together are within `most`, without those that are pinned."""
    pinned, inside, kept = working.pinned_units(), 0, set[int]()
    last = working.items[-1].unit if working.items else 0
    for unit, items in reversed(_units(working)):
        inside += sum(measure(item) for item in items)
        if inside > most and unit != last:
            break
        kept.add(unit)
    return ranges_of(item.position for item in working.items if item.unit not in kept | pinned)


def _units(working: Working) -> list[tuple[int, list[Item]]]:
    units: dict[int, list[Item]] = {}
    for item in working.items:
        units.setdefault(item.unit, []).append(item)
    return list(units.items())


def _ruled(rule: MessageRule, working: Working, step: int, by: str) -> list[Decision]:
    if rule.then == "pin":
        return []
    pinned, last = working.pinned_units(), working.items[-1].unit if working.items else 0
    hit = [one for one in working.items if one.unit not in pinned and not one.message.kept and _is_hit(rule, one)]
    if rule.then == "shorten":
        long = tuple(one.position for one in hit if _saves(one, rule.to))
        return [Shortened(step=step, upto=working.upto, positions=long, to=rule.to, by=by)] if long else []
    results = tuple(one.position for one in hit if one.message.role == "tool" and _is_longer(one))
    alone = [one.position for one in hit if one.message.role != "tool" and not one.message.calls and one.unit != last]
    made: list[Decision] = []
    if results:
        made.append(Stubbed(step=step, upto=working.upto, positions=results, by=by))
    if alone:
        made.append(Dropped(step=step, upto=working.upto, ranges=ranges_of(alone), by=by))
    return made


def _is_hit(rule: MessageRule, item: Item) -> bool:
    return item.form == "whole" and rule.matches(item.message)


def _saves(item: Item, to: int) -> bool:
    return len(shortened(item.message, to).text) < len(item.message.text)


def _is_longer(item: Item) -> bool:
    return len(stub(item.message).text) < len(item.message.text)
