"""What a message is, where it waits, and how a turn commits. No task, no actor."""

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
    "Record",
    "SqliteStore",
    "Store",
    "StoreError",
    "StoredFault",
    "Tombstone",
    "Turn",
    "UnknownRecord",
    "actor_id",
    "back_up",
    "compact",
    "key_of",
    "stored",
    "type_of",
]
