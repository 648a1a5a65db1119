"""What stands between the name of a server and that of its tool."""

from __future__ import annotations

SEPARATOR = "__"
