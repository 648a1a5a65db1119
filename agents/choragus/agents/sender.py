"""Who sent a message: people come from outside, actors do not speak for them."""

from __future__ import annotations


def from_outside(sender: str) -> bool:
    """Whether a message came from the host or a visitor, not from an actor."""
    return sender in ("", "visitor") or sender.startswith("host:")
