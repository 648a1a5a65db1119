"""Short forms of what the bodies of entries say again and again.

A body is JSON without control characters, so bytes below 0x20 are free to stand for phrases: the opening of a member, a
member with a common value, the key that the stream is named after. What does not look like that is kept as it is. The
tables belong to the file's schema: what is stored refers to places in them, so that one more phrase is one more schema.
"""

from __future__ import annotations

import re

_HEADS = (
    *(
        "actor",
        "step",
        "phase",
        "call",
        "tool",
        "output_tokens",
        "input_tokens",
        "is_error",
        "cost_usd",
        "text",
        "calls",
    ),
    *(
        "active_seconds",
        "tool_calls",
        "token",
        "name",
        "steps",
        "arguments",
        "started",
        "ended",
        "agent",
        "role",
        "kind",
    ),
    *("attempt", "model", "provider", "stop", "end", "ran", "reason", "verdict", "effect", "messages", "call_id", "id"),
    *(
        "status",
        "error",
        "run",
        "by",
        "hash",
        "amount",
        "number",
        "message",
        "task",
        "key",
        "version",
        "manifest",
        "type",
    ),
)
_PARTS = ("orchestrator", "guardrail", "memory", "tool_gateway")
_VALUES = (
    *(("actor", f'"choragus.{part}') for part in _PARTS),
    *(("phase", f'"{phase}"') for phase in ("perceive", "reason", "act", "check", "update", "stop")),
    *(("verdict", f'"{verdict}"') for verdict in ("allow", "deny", "ask")),
    *(("end", f'"{end}"') for end in ("returned", "raised", "refused")),
    *(("role", f'"{role}"') for role in ("user", "assistant", "tool", "system")),
    *((head, "0") for head in ("steps", "input_tokens", "output_tokens", "tool_calls")),
    *((head, "1") for head in ("steps", "tool_calls", "attempt")),
    *((head, "0.0") for head in ("cost_usd", "active_seconds")),
    *((head, value) for head in ("is_error", "ran") for value in ("true", "false")),
    *((head, "[]") for head in ("calls",)),
    *((head, '""') for head in ("call_id", "name", "text")),
    *(("stop", f'"{stop}"') for stop in ("stop", "tool_use", "end_turn")),
)
_PHRASES = (
    *(f',"{head}":{value}' for head, value in _VALUES),
    *(f'{{"{head}":{value}' for head, value in _VALUES if head == "actor"),
    *(f',"{head}":' for head in _HEADS),
    *(f'{{"{head}":' for head in _HEADS),
)
_FIRST = 0x20
"""Control characters end here; two-byte codes take their second byte from here on."""


def _codes() -> dict[bytes, bytes]:
    """Each phrase's code: pairs of a byte from 2 to 8 and one from 0x20 to 0x7E, in the order of the tables."""
    return {phrase.encode(): bytes((2 + place // 95, _FIRST + place % 95)) for place, phrase in enumerate(_PHRASES)}


_CODES = _codes()
TEXTS = {code: phrase for phrase, code in _CODES.items()}
"""What each code of two bytes stands for."""
_PHRASE = re.compile(rb'[{,]"[a-z_]+":(?:"[a-z_.]*"?|[a-z]+|0\.0|[01](?=[,}])|\[\])?')
_CODE = re.compile(rb"[\x02-\x08].?|[\x00-\x1f]", re.DOTALL)
_CONTROLS = bytes(range(_FIRST))
_REMEMBERED = 1_024


def shortened(stream: str, body: bytes) -> bytes:
    """The body as it is kept in a stream of that name."""
    if len(body.translate(None, _CONTROLS)) != len(body):
        return b"\x00" + body
    key = key_of(stream)
    return _PHRASE.sub(_code, body.replace(key, b"\x01") if key else body)


def spelled_out(stream: str, kept: bytes) -> bytes:
    """The body that is kept in that form.

    Raises:
        ValueError: when there is no such form.
    """
    if kept[:1] == b"\x00":
        return kept[1:]
    key = key_of(stream)
    try:
        return _CODE.sub(lambda code: key if code[0] == b"\x01" else TEXTS[code[0]], kept)
    except KeyError as error:
        raise ValueError(f"{error} stands for no phrase") from error


def key_of(stream: str) -> bytes:
    """What the bodies of a stream are likely to repeat: the run of `run/RUN`."""
    return stream.partition("/")[2].encode()


class _Forms(dict[bytes, bytes]):
    """What members of objects are kept as; those that come first are remembered, for most come again."""

    def __missing__(self, member: bytes) -> bytes:
        form = _CODES.get(member)
        if form is None:
            end = member.index(b":") + 1
            form = _CODES.get(member[:end], member[:end]) + member[end:]
        if len(self) < _REMEMBERED:
            self[member] = form
        return form


_FORMS = _Forms()


def _code(found: re.Match[bytes]) -> bytes:
    return _FORMS[found[0]]
