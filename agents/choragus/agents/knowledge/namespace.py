"""The namespaces of a library."""

from __future__ import annotations

OWN = "main"
"""The namespace of whoever names none."""
