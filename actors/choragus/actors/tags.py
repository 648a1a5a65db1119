"""Which modules define the stored classes of actors: they are imported when one is read."""

from __future__ import annotations

from collections.abc import Mapping

TAGS: Mapping[str, str] = dict.fromkeys(
    ("choragus.ask_failed", "choragus.effect_failed", "choragus.effect_unknown"), "choragus.actors.message"
)
