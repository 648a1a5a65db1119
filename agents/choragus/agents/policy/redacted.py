"""Secrets and personal data taken out of a text.

Finding them takes time in proportion to the text. What has a checksum is found by it, not by its looks alone.
"""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from choragus.agents.errors import AgentFault

from .contact import contacts
from .number import numbers
from .secret import secrets
from .span import Span, merged

SECRETS = frozenset({"api-key", "password", "private-key", "token"})
PERSONAL = frozenset({"card", "email", "iban", "national-id", "phone"})
KINDS = SECRETS | PERSONAL
"""All that is looked for."""


@frozen
class Redacted:
    """A text without what must not be shown, and of which kinds that was, in order."""

    text: str
    kinds: tuple[str, ...] = ()


def redact(text: str, kinds: Iterable[str] = KINDS) -> Redacted:
    """The text with secrets and personal data replaced.

    The same text gives the same result, and a redacted text is not changed again. A placeholder names the kind and
    nothing else: a hash of a card number could be looked up.

    >>> redact("Mail ada@example.org, card 4111 1111 1111 1111.").text
    'Mail [redacted:email], card [redacted:card].'

    Args:
        kinds: what to look for, among `KINDS`; all of it by default. `SECRETS` and `PERSONAL` are its halves.

    Raises:
        AgentFault: when a kind is unknown.
    """
    found = spans(text, known(kinds))
    return Redacted(replaced(text, found), tuple(one.kind for one in found))


def known(kinds: Iterable[str]) -> frozenset[str]:
    """The kinds, if all are known.

    Raises:
        AgentFault: when one is not.
    """
    chosen = frozenset([kinds]) if isinstance(kinds, str) else frozenset(kinds)
    unknown = sorted(chosen - KINDS)
    if unknown:
        raise AgentFault(f"{unknown[0]!r} is nothing that can be redacted: choose from {', '.join(sorted(KINDS))}")
    return chosen


def spans(text: str, kinds: frozenset[str], start: int = 0) -> list[Span]:
    """Where they stand, in order and apart from each other; what stands before `start` is only looked back at."""
    found = _look(text, kinds, start)
    while found:
        # What was glued to a secret is a word of its own once that is gone.
        more = _look(replaced(text, found), kinds, start)
        if not more:
            break
        found = merged([*found, *(_back(one, found) for one in more)])
    return found


def replaced(text: str, found: Iterable[Span]) -> str:
    """The text with placeholders."""
    parts, at = [], 0
    for one in found:
        parts += [text[at : one.start], _placeholder(one)]
        at = one.end
    return "".join([*parts, text[at:]])


def _placeholder(span: Span) -> str:
    return f"[redacted:{span.kind}]"


def _look(text: str, kinds: frozenset[str], start: int) -> list[Span]:
    found = list(secrets(text, start)) if kinds & SECRETS else []
    if kinds & PERSONAL:
        logins = {one.end for one in found if text[one.end : one.end + 1] == "@"}
        found += numbers(text, start)
        others = contacts(text, start)
        found += (one for one in others if one.kind != "email" or text.find("@", one.start) not in logins)
    return merged(one for one in found if one.kind in kinds)


def _back(span: Span, found: Iterable[Span]) -> Span:
    """Where it stands in the text in which `found` is not replaced yet."""
    more = 0
    for one in found:
        longer = len(_placeholder(one)) - (one.end - one.start)
        if span.start < one.end + more + longer:
            break
        more += longer
    return Span(span.start - more, span.end - more, span.kind)
