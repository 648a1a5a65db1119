"""What a person decides on: a call with its exact arguments, bound by their hash."""

from __future__ import annotations

import hashlib

import attrs
import msgspec


@attrs.frozen(kw_only=True)
class Approval:
    """A call that waits for a person. `hash` binds the decision to `arguments`; `asked` is seconds since the epoch.

    `origins` says, when a policy follows information, where each argument comes from, and under "" the decision.
    """

    id: str
    run: str
    call: str
    tool: str
    arguments: dict[str, object]
    hash: str
    asked: float
    origins: dict[str, str] = attrs.field(factory=dict)


def approval_id(run: str, call: str) -> str:
    """The short name of an approval: 8 hexadecimal digits."""
    return hashlib.sha256(f"{run}/{call}".encode()).hexdigest()[:8]


def arguments_hash(run: str, call: str, tool: str, arguments: dict[str, object]) -> str:
    """SHA-256 over the run, the call, the tool and the arguments, as canonical JSON: what a decision is bound to."""
    return hashlib.sha256(msgspec.json.encode([run, call, tool, arguments], order="sorted")).hexdigest()


def short_hash(value: object) -> str:
    """16 hexadecimal digits that tell values apart; the same in every process."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]


def approval_view(
    run: str,
    call: str,
    tool: str,
    arguments: dict[str, object],
    hash: str,
    asked: float,
    origins: dict[str, str] | None = None,
) -> dict[str, object]:
    """The approval as the body of a view row."""
    return attrs.asdict(
        Approval(
            id=approval_id(run, call),
            run=run,
            call=call,
            tool=tool,
            arguments=arguments,
            hash=hash,
            asked=asked,
            origins=origins or {},
        )
    )
