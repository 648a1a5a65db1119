"""What was said, in the shapes of the conventions: told only when it is asked for, and never without redaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs
import msgspec

from . import convention as names
from .fact import Attributes, Fields, text

MOST_CHARACTERS = 100_000
"""Characters of the messages of one span; of a longer conversation the oldest are left out."""

FINISH = {"tool_calls": "tool_call", "refusal": "content_filter"}
"""Why a reply ended, where the conventions have another word for it."""


@attrs.frozen
class Content:
    """Writes down messages, arguments and results; `redact` is what every text goes through."""

    redact: Callable[[str], str]

    def of_a_model_call(self, heard: Sequence[Fields], fields: Fields) -> Attributes:
        """What the model was sent, and what it answered."""
        told: Attributes = {}
        if heard:
            told[names.INPUT_MESSAGES] = self._messages(heard)
        if "stop" in fields:
            message = self.message({"role": "assistant", "text": fields.get("text"), "calls": fields.get("calls")})
            stop = "tool_calls" if fields.get("calls") and fields["stop"] == "stop" else text(fields, "stop")
            told[names.OUTPUT_MESSAGES] = _json([{**message, "finish_reason": FINISH.get(stop, stop)}])
        return told

    def of_a_call(self, arguments: object, result: str) -> Attributes:
        """What a tool was called with, and what it gave back, as far as the logbook keeps it."""
        told: Attributes = {names.TOOL_RESULT: self.redact(result)}
        if arguments is not None:
            told[names.TOOL_ARGUMENTS] = _json(self._clean(arguments))
        return told

    def message(self, line: Fields) -> dict[str, object]:
        """A line of the conversation."""
        parts: list[dict[str, object]] = []
        said = self.redact(text(line, "text"))
        if line.get("role") == "tool":
            parts.append({"type": "tool_call_response", "id": text(line, "call_id"), "response": said})
        elif said:
            parts.append({"type": "text", "content": said})
        calls = line.get("calls")
        for call in calls if isinstance(calls, list | tuple) else ():
            part = {"type": "tool_call", "name": call["name"], "arguments": self._clean(call["arguments"])}
            parts.append({**part, "id": call["id"]} if call.get("id") else part)
        return {"role": text(line, "role"), "parts": parts}

    def _messages(self, heard: Sequence[Fields]) -> str:
        kept: list[dict[str, object]] = []
        room = MOST_CHARACTERS
        for line in reversed(heard):
            message = self.message(line)
            room -= len(_json(message))
            if room < 0 and kept:
                break
            kept.append(message)
        return _json(kept[::-1])

    def _clean(self, value: object) -> object:
        if isinstance(value, str):
            return self.redact(value)
        if isinstance(value, dict):
            return {str(key): self._clean(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self._clean(one) for one in value]
        return value


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
