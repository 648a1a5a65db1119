"""From which file an agent was configured. A value; it is told, and no part of the agent's identity."""

from __future__ import annotations

from attrs import frozen


@frozen
class ConfigSource:
    """A configuration file by its name, and the SHA-256 (64 hexadecimal digits) of what was read."""

    source: str
    hash: str
