"""What stands for a value where the value itself is not kept."""

from __future__ import annotations

import hashlib

import msgspec


def short_hash(value: object) -> str:
    """16 hexadecimal digits that tell values apart; the same in every process."""
    return hashlib.sha256(msgspec.json.encode(value, order="sorted")).hexdigest()[:16]
