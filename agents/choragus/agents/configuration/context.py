"""What a configuration says of an agent's context. What is looked up for it stands in code."""

from __future__ import annotations

from collections.abc import Mapping

from choragus.agents.context.block import Block
from choragus.agents.context.option import Context
from choragus.agents.context.strategy import DropResults, MessageRule, Strategy, Summarise, Window

from .partial import Partial
from .spot import Spot
from .summary import SummaryBy
from .value import Reader, built, each, fields, flag, items, made, plain, table, text, texts

CONTEXT: dict[str, Reader] = {}
"""The keys of an agent's context; what reads them stands at the end."""

_block = built(Block, editable=flag, shared=flag)
_summary = built(Summarise, only=("keep_tokens",))


def context(spot: Spot, value: object) -> Partial[Context]:
    """What a context's table says; it is tried with what it says, and made when the agent is."""
    found = fields(spot, value, CONTEXT)
    if "blocks" in found:
        found["blocks"] = tuple(dict(found["blocks"]).values())  # type: ignore[call-overload]  # by their labels
    listed = found.get("compaction", ())
    tried = tuple(one.strategy if isinstance(one, SummaryBy) else one for one in listed)  # type: ignore[attr-defined]  # a tuple
    made(Context, spot, {"budget_tokens": 1, **found, **({"compaction": tried} if "compaction" in found else {})})
    return Partial(Context, found)


def block(spot: Spot, value: object) -> Block:
    """A block; its label is the table's name."""
    if "label" in table(spot, value):
        raise spot.at("label").fault(f"its label is the table's name, {spot.path[-1]!r}: leave it out")
    return _block(spot, {"label": spot.path[-1], **table(spot, value)})


def summarise(spot: Spot, value: object) -> Strategy | SummaryBy:
    """A summary, by the model that is named."""
    said = dict(table(spot, value))
    model = text(spot.at("model"), said.pop("model")) if "model" in said else ""
    strategy = _summary(spot, said)
    return SummaryBy(model, strategy) if model else strategy


STRATEGIES: Mapping[str, Reader] = {
    DropResults.name: built(DropResults, keep=texts),
    Window.name: built(Window),
    Summarise.name: summarise,
    MessageRule.name: built(MessageRule, tool=text, contains=text),
}
"""By what a context is made smaller: what `by` may be, and what else such a table has."""


def strategy(spot: Spot, value: object) -> object:
    """One way of making it smaller: its name, or a table of the name as `by` and its options."""
    said = {"by": value} if isinstance(value, str) else dict(table(spot, value))
    by = said.pop("by", None)
    if not isinstance(by, str) or by not in STRATEGIES:
        raise spot.fault(f"by = {by!r} is no strategy: write one of {', '.join(STRATEGIES)}")
    return STRATEGIES[by](spot, said)


CONTEXT.update(
    {
        "budget_tokens": plain,
        "order": texts,
        "compaction": items(strategy),
        "blocks": each(block),
    }
)
