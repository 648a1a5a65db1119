"""What agents know beyond a run: libraries of texts, and what earlier runs have left."""

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
