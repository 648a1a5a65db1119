"""Where the lines of a conversation come from, for what is made of them: a summary has the labels of all of them."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.agents.flow.declaration import PLAN
from choragus.agents.flow.label import RUNTIME, USER
from choragus.agents.flow.reading import whole
from choragus.agents.model import ChatMessage

from .decision import Decision, Edited, Fetched


def sources(messages: Iterable[ChatMessage]) -> frozenset[str]:
    """The sources of all lines together; what the model has said has those of what it had read."""
    return frozenset(source for message in messages for source in _sources(message))


def shown_besides(decisions: Iterable[Decision], upto: int) -> frozenset[str]:
    """The sources of what the model has been shown besides, before the conversation was longer than `upto`."""
    found = (each for each in decisions if each.upto <= upto)
    return frozenset(source for each in found for source in _of_decision(each))


def _of_decision(decision: Decision) -> Iterable[str]:
    if isinstance(decision, Fetched):
        return [source for item in decision.items for source in item.origin]
    return decision.labels if isinstance(decision, Edited) else ()


def _sources(message: ChatMessage) -> Iterable[str]:
    if message.role == "user":
        return message.labels or (USER,)
    if message.role == "assistant":
        return message.labels
    return (RUNTIME,) if message.labels in ((RUNTIME,), (PLAN,)) else whole(message).sources
