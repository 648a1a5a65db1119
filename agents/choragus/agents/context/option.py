"""How an agent's working context is put together and kept within its budget: a value, part of the agent's identity."""

from __future__ import annotations

from collections.abc import Iterable

import attrs
from attrs import field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.model import Model

from .block import Block
from .retrieval import Retrieval, Retriever
from .strategy import DropResults, MessageRule, Strategy, Summarise, Window

SECTIONS = ("instructions", "blocks", "retrieved", "episodes", "pinned", "summary", "recent")
"""The sections of a context, in the order in which they stand by default."""


def _as_names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else (names,)


def _as_strategies(strategies: Iterable[Strategy]) -> tuple[Strategy, ...]:
    return tuple(strategies) if isinstance(strategies, Iterable) else strategies


def _as_blocks(blocks: Iterable[Block]) -> tuple[Block, ...]:
    return tuple(blocks) if isinstance(blocks, Iterable) else blocks


def _as_retrievals(values: Iterable[Retrieval | Retriever]) -> tuple[Retrieval, ...]:
    if not isinstance(values, Iterable):
        raise AgentFault(f"Context(retrieve={values!r}) is no list: give Retrieval(...)s or Retrievers")
    return tuple(each if isinstance(each, Retrieval) else Retrieval(each) for each in values)


@frozen(kw_only=True)
class Context:
    """What a model call is made of, and what happens when that is too much.

    >>> Context(budget_tokens=8_000, compaction=[DropResults(older_than=6), Window(messages=40)]).order[-1]
    'recent'

    As long as all fits into the budget the model sees the whole conversation. When it does not, the strategies are
    applied in their order until it fits; each decision is written down, so a call that is made again after a crash sees
    the same. When it does not fit after the last one, the run ends with LimitReached, which names what is too large.

    The first line and the latest of the user, and lines that a `MessageRule(then="pin")` is about, are never lost, nor
    is the one that tells of the step in hand where the run follows a plan. They stand in the section "pinned" when
    lines before or between them are gone. A call and its results stay together.

    Args:
        budget_tokens: what a request may have, estimated by its length; the reply is not part of it.
        order: the sections, each once. Instructions come first, and what stands in "blocks" behind them.
        compaction: the strategies: DropResults, Window, Summarise, MessageRule.
        blocks: texts that always stand before the model.
        retrieve: what is looked up for it: Retrievals, or a Retriever, which is asked once for the goal.

    Raises:
        AgentFault: an option is none of those it may be.
    """

    budget_tokens: int
    order: tuple[str, ...] = field(default=SECTIONS, converter=_as_names)
    compaction: tuple[Strategy, ...] = field(factory=lambda: (DropResults(), Window()), converter=_as_strategies)
    blocks: tuple[Block, ...] = field(default=(), converter=_as_blocks)
    retrieve: tuple[Retrieval, ...] = field(default=(), converter=_as_retrievals)

    def __attrs_post_init__(self) -> None:
        if type(self.budget_tokens) is not int or self.budget_tokens < 1:
            raise AgentFault(f"budget_tokens={self.budget_tokens!r} is no budget: give a whole number above 0")
        if sorted(map(str, self.order)) != sorted(SECTIONS) or self.order[0] != SECTIONS[0]:
            raise AgentFault(
                f"order={list(self.order)!r} is none: give each of {', '.join(SECTIONS)} once, instructions first"
            )
        for each in self.compaction if isinstance(self.compaction, tuple) else (self.compaction,):
            if not isinstance(each, Strategy):
                raise AgentFault(f"{each!r} is no strategy: give DropResults, Window, Summarise or MessageRule")
        if not isinstance(self.blocks, tuple) or not all(isinstance(each, Block) for each in self.blocks):
            raise AgentFault(f"blocks={self.blocks!r} are none: give a list of Block(...)")
        labels = [each.label for each in self.blocks]
        twice = next((label for label in labels if labels.count(label) > 1), None)
        if twice is not None:
            raise AgentFault(f"two blocks are labelled {twice!r}: rename one")

    @property
    def has_editable_blocks(self) -> bool:
        """Whether the model may change any block."""
        return any(block.editable for block in self.blocks)

    @property
    def pins(self) -> tuple[MessageRule, ...]:
        """The rules that hold from the beginning."""
        return tuple(each for each in self.compaction if isinstance(each, MessageRule) and each.then == "pin")

    def block(self, label: str) -> Block | None:
        """The block of that label."""
        return next((each for each in self.blocks if each.label == label), None)

    def identity(self) -> dict[str, object]:
        """All of it in plain JSON types, for the manifest of the agent."""
        return {
            "budget_tokens": self.budget_tokens,
            "order": list(self.order),
            "compaction": [_said(each) for each in self.compaction],
            "blocks": [attrs.asdict(each) for each in self.blocks],
            "retrieve": [
                {**attrs.asdict(each, filter=lambda one, _: one.name != "retriever"), "by": each.retriever.name}
                for each in self.retrieve
            ],
        }


def _said(strategy: Strategy) -> dict[str, object]:
    said: dict[str, object] = {"strategy": strategy.name}
    for one in attrs.fields(type(strategy)):
        value = getattr(strategy, one.name)
        if isinstance(strategy, Summarise) and one.name == "prompt":
            value = strategy.prompt.digest
        elif isinstance(value, Model):
            value = {"provider": value.provider, "model": value.name, "settings": value.settings()}
        said[one.name] = list(value) if isinstance(value, tuple) else value
    return said
