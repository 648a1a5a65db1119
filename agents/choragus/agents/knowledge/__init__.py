"""What agents know beyond a run: libraries of texts, and what earlier runs have left.

What is behind this door is imported when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .declaration import Library
    from .embedder import Embedder, HashingEmbedder
    from .episode import Episode, Episodes
    from .found import Found, Provenance
    from .message import Forgotten
    from .retrieving import FromEpisodes, FromLibrary
    from .shelf import Shelf
    from .tools import episodes_tool

__all__ = [
    "Embedder",
    "Episode",
    "Episodes",
    "Forgotten",
    "Found",
    "FromEpisodes",
    "FromLibrary",
    "HashingEmbedder",
    "Library",
    "Provenance",
    "Shelf",
    "episodes_tool",
]

_MODULES = {
    "declaration": ("Library",),
    "embedder": (
        "Embedder",
        "HashingEmbedder",
    ),
    "episode": (
        "Episode",
        "Episodes",
    ),
    "found": (
        "Found",
        "Provenance",
    ),
    "message": ("Forgotten",),
    "retrieving": (
        "FromEpisodes",
        "FromLibrary",
    ),
    "shelf": ("Shelf",),
    "tools": ("episodes_tool",),
}
"""Where the names are defined, as the imports above say it too."""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
