"""What a message is, where it waits, and how a turn commits. No task, no actor."""

from .address import ActorId, actor_id, key_of, type_of
from .backup import Backup, back_up
from .codec import Record, stored
from .errors import (
    ChoragusError,
    CommitUnknown,
    CorruptRecord,
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
from .turn import OnInterrupt, Parking, Turn

__all__ = [
    "ActorId",
    "Backup",
    "ChoragusError",
    "CommitUnknown",
    "CorruptRecord",
    "FileInUse",
    "LeaseLost",
    "MemoryStore",
    "NewerSchema",
    "NotChoragusFile",
    "NotStorable",
    "OnInterrupt",
    "Parking",
    "Record",
    "SqliteStore",
    "Store",
    "StoreError",
    "StoredFault",
    "Turn",
    "UnknownRecord",
    "actor_id",
    "back_up",
    "key_of",
    "stored",
    "type_of",
]
