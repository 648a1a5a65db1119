"""What a message is, where it waits, and how a turn commits. No task, no actor.

What is behind this door is imported when it is first asked for: who only reads a file needs none of it.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .address import ActorId, actor_id, key_of, type_of
    from .backup import Backup, back_up
    from .codec import Record, stored
    from .compaction import Compaction, compact
    from .document import Collection, Document, Hit
    from .errors import (
        ChoragusError,
        CommitUnknown,
        CorruptRecord,
        FileBusy,
        FileInUse,
        LeaseLost,
        NewerSchema,
        NotChoragusFile,
        NotStorable,
        StoredFault,
        StoreError,
        UnknownRecord,
    )
    from .memory import MemoryStore
    from .reader import EntryRow, Reader, ViewRow
    from .sqlite import SqliteStore
    from .store import Store
    from .turn import OnInterrupt, Parking, Pruned, Pruning, Tombstone, Turn

__all__ = [
    "ActorId",
    "Backup",
    "ChoragusError",
    "Collection",
    "CommitUnknown",
    "Compaction",
    "CorruptRecord",
    "Document",
    "EntryRow",
    "FileBusy",
    "FileInUse",
    "Hit",
    "LeaseLost",
    "MemoryStore",
    "NewerSchema",
    "NotChoragusFile",
    "NotStorable",
    "OnInterrupt",
    "Parking",
    "Pruned",
    "Pruning",
    "Reader",
    "Record",
    "SqliteStore",
    "Store",
    "StoreError",
    "StoredFault",
    "Tombstone",
    "Turn",
    "UnknownRecord",
    "ViewRow",
    "actor_id",
    "back_up",
    "compact",
    "key_of",
    "stored",
    "type_of",
]

_MODULES = {
    "address": ("ActorId", "actor_id", "key_of", "type_of"),
    "backup": ("Backup", "back_up"),
    "codec": ("Record", "stored"),
    "compaction": ("Compaction", "compact"),
    "document": ("Collection", "Document", "Hit"),
    "errors": (
        *("ChoragusError", "CommitUnknown", "CorruptRecord", "FileBusy", "FileInUse", "LeaseLost", "NewerSchema"),
        *("NotChoragusFile", "NotStorable", "StoreError", "StoredFault", "UnknownRecord"),
    ),
    "memory": ("MemoryStore",),
    "reader": ("EntryRow", "Reader", "ViewRow"),
    "sqlite": ("SqliteStore",),
    "store": ("Store",),
    "turn": ("OnInterrupt", "Parking", "Pruned", "Pruning", "Tombstone", "Turn"),
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
