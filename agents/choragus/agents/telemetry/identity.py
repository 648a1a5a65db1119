"""Which trace a run belongs to and what its spans are called: from the run and from who began it, and nothing else.

W3C's `traceparent` is read and written here. Ids are the same however often they are made, so a span that is exported
again after a crash is the same span.
"""

from __future__ import annotations

import re
from hashlib import sha256

import attrs

SAMPLED = 1

_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")


@attrs.frozen
class SpanRef:
    """A span by its ids, 128 and 64 bits and neither of them 0; `remote`: of another service."""

    trace: int
    span: int
    sampled: bool = True
    remote: bool = False

    @property
    def traceparent(self) -> str:
        """As W3C writes it."""
        return f"00-{self.trace:032x}-{self.span:016x}-{SAMPLED if self.sampled else 0:02x}"


def parsed(traceparent: str) -> SpanRef | None:
    """The span that a `traceparent` names; None when it is none, as W3C says: then there is no parent.

    >>> parsed("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00").sampled
    False
    >>> parsed("00-00000000000000000000000000000000-b7ad6b7169203331-01") is None
    True
    """
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    version, trace, span, flags, more = found.groups()
    if version == "ff" or (version == "00" and more) or not int(trace, 16) or not int(span, 16):
        return None
    return SpanRef(int(trace, 16), int(span, 16), bool(int(flags, 16) & SAMPLED), remote=True)


def checked(traceparent: str) -> str:
    """The same, if it is one.

    Raises:
        ValueError: when it is none.
    """
    if parsed(traceparent) is None:
        raise ValueError(
            f"traceparent={traceparent[:80]!r} is none: give 00-TRACE-SPAN-FLAGS in lower case hexadecimal, of 32, 16 "
            'and 2 digits, as W3C has it, or "" for a trace of its own'
        )
    return traceparent


def trace_of(run: str) -> int:
    """The trace of a run that nobody else's trace contains."""
    return int.from_bytes(sha256(b"trace:" + run.encode()).digest()[:16], "big") or 1


def span_of(run: str, part: str = "") -> int:
    """The span of a part of a run; "" is the run itself."""
    return int.from_bytes(sha256(f"span:{run}:{part}".encode()).digest()[:8], "big") or 1


def call_part(call: str) -> str:
    """The part of a run that is a call of a tool."""
    return f"call {call}"
