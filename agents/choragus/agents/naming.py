"""How runs get their ids."""

from __future__ import annotations

import hashlib
from uuid import uuid4


def run_id(agent: str, key: str) -> str:
    """12 hexadecimal digits: from the agent and the key, or by chance when there is no key."""
    return hashlib.sha256(f"{agent}\n{key}".encode()).hexdigest()[:12] if key else uuid4().hex[:12]
