"""What a decision meets: others that no runtime has taken up yet, and a run that is refused; as a card tells of it."""

from __future__ import annotations

import json
from collections.abc import Iterator

from choragus.agents.approval import Approval
from choragus.agents.inspection import Unknown
from choragus.agents.message import GUARDRAIL, TOOL_GATEWAY
from choragus.mailbox.address import actor_id
from choragus.mailbox.reader import Reader

from .fields import Fields, text

MOST = 100
"""Messages of one mailbox that are looked through."""


def left_for(reader: Reader, one: Approval | Unknown) -> list[str]:
    """Who has decided what about it, the oldest first."""
    if isinstance(one, Unknown):
        waiting = _waiting(reader, actor_id(TOOL_GATEWAY, one.run), "choragus.settle_call")
        return [f"settled by {text(word, 'by')}" for word in waiting if word.get("call") == one.call]
    waiting = _waiting(reader, actor_id(GUARDRAIL, one.run), "choragus.decide")
    same = [word for word in waiting if (word.get("call"), word.get("hash")) == (one.call, one.hash)]
    return [f"{_word(word)} by {text(word, 'by')}" for word in same]


def refusal(reader: Reader, run: str) -> str:
    """Why a run is refused, as when its agent has changed; empty when it is not."""
    row = reader.view("refused", run)
    return "" if row is None else text(row.data, "why")


def _word(decision: Fields) -> str:
    if decision.get("answer") is not None:
        return "answered"
    return "approved" if decision.get("approved") else "denied"


def _waiting(reader: Reader, receiver: str, tag: str) -> Iterator[Fields]:
    statement = "SELECT body FROM message WHERE receiver = ? AND tag = ? ORDER BY seq LIMIT ?"
    for (body,) in reader.rows(statement, receiver, tag, MOST):
        told = json.loads(body) if isinstance(body, bytes) else {}
        if isinstance(told, dict):
            yield told
