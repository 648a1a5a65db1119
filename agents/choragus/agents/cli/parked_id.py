"""The short name of a parked message."""

from __future__ import annotations

from hashlib import sha256


def parked_id(receiver: str, message: str) -> str:
    """8 hexadecimal digits.

    >>> parked_id("choragus.memory/5f2c", "choragus.orchestrator/5f2c#4")
    '78c345a8'
    """
    return sha256(f"{receiver}\n{message}".encode(errors="surrogatepass")).hexdigest()[:8]
