"""The tool results that stand in a conversation, looked up by tool and subject."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

import attrs
import msgspec

from choragus.agents.model import ChatMessage, ToolCall

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Evidence:
    """What tools answered, and how often each was called. Of several answers to one question the last counts.

    The subject of a call is the distribution that it names, "" for none.
    """

    results: Mapping[tuple[str, str], ChatMessage]
    calls: Mapping[str, int]

    def has(self, tool: str, subject: str = "") -> bool:
        """Whether the tool has answered on the subject, be it with an error."""
        return (tool, subject) in self.results

    def get(self, tool: str, subject: str, shape: type[T]) -> T | None:
        """Return the tool's result, or None when there is none, it is an error, or it has another shape."""
        message = self.results.get((tool, subject))
        return None if message is None or message.is_error else _decode(message.text, shape)

    def error(self, tool: str, subject: str = "") -> str:
        """Return the error text that the tool answered with, or an empty text."""
        message = self.results.get((tool, subject))
        return "" if message is None or not message.is_error else message.text or "failed without a reason"

    def answered(self) -> Iterator[tuple[str, str]]:
        """Give the tool and subject of each answer, in the order in which they were first asked."""
        return iter(self.results)


def gather(messages: Sequence[ChatMessage]) -> Evidence:
    """Read a conversation once, from its beginning. A result whose call is not in it is passed over."""
    asked: dict[str, ToolCall] = {}
    results: dict[tuple[str, str], ChatMessage] = {}
    calls: Counter[str] = Counter()
    for message in messages:
        asked.update({call.id: call for call in message.calls})
        calls.update(call.name for call in message.calls)
        call = asked.get(message.call_id) if message.role == "tool" else None
        if call is not None:
            results[call.name, str(call.arguments.get("distribution", ""))] = message
    return Evidence(results=results, calls=calls)


def _decode(text: str, shape: type[T]) -> T | None:
    try:
        return msgspec.json.decode(text, type=shape)
    except msgspec.DecodeError:
        return None
