"""A verdict chosen by a word of configuration, and how a policy's settings become its version."""

from __future__ import annotations

import hashlib
from enum import Enum
from fnmatch import fnmatchcase
from typing import Literal, get_args

import attrs
import msgspec

from choragus.agents.errors import AgentFault

from .verdict import Allow, Ask, Deny, End, Escalate, Verdict

Decision = Literal["allow", "deny", "ask", "escalate", "end"]
DECISIONS: tuple[Decision, ...] = get_args(Decision)


def verdict_of(decision: Decision, reason: str, approvers: tuple[str, ...] = ()) -> Verdict:
    """The verdict of that name.

    >>> verdict_of("ask", "a new payee", ("treasurer",))
    Ask(reason='a new payee', approvers=('treasurer',))
    """
    match decision:
        case "allow":
            return Allow(reason)
        case "deny":
            return Deny(reason)
        case "ask":
            return Ask(reason, approvers)
        case "escalate":
            return Escalate(reason, approvers)
        case "end":
            return End(reason)


def check_decision(owner: object, attribute: attrs.Attribute[Decision], value: object) -> None:
    """An attrs validator.

    Raises:
        AgentFault: the value is none of the five words.
    """
    if value not in DECISIONS:
        words = ", ".join(repr(one) for one in DECISIONS)
        raise AgentFault(f"{type(owner).__name__}({attribute.name}={value!r}) is no decision: give one of {words}")


def version_of(policy: attrs.AttrsInstance, revision: int = 1) -> str:
    """A hash (16 hexadecimal digits) of the policy's class and settings; `revision` counts changes of its code."""
    settings = attrs.asdict(policy, value_serializer=lambda owner, attribute, value: _in_order(value))
    plain = msgspec.json.encode([type(policy).__name__, revision, settings], order="sorted", enc_hook=str)
    return hashlib.sha256(plain).hexdigest()[:16]


def _in_order(value: object) -> object:
    """A set has another order in each process."""
    if not isinstance(value, frozenset):
        return value
    return sorted(str(one.value) if isinstance(one, Enum) else str(one) for one in value)


def is_among(name: str, globs: tuple[str, ...]) -> bool:
    """Whether one of the patterns (`*`, `?`, `[...]`) matches the whole name; case counts."""
    return any(glob == "*" or fnmatchcase(name, glob) for glob in globs)
