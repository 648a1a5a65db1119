"""What can go wrong below the actors, as one tree.

    ChoragusError
    ├─ StoredFault (TypeError)      a class declared wrongly for storage
    ├─ NotStorable (TypeError)      a value that cannot be stored
    ├─ UnknownRecord (LookupError)  stored under a name or version that nobody registered
    ├─ CorruptRecord (ValueError)   stored bytes that are not what was written
    └─ StoreError
       ├─ NotChoragusFile           the file is something else
       ├─ NewerSchema               the file was written by a newer choragus
       ├─ FileInUse                 another live process owns the file
       ├─ FileBusy                  another process keeps the file locked
       ├─ HeadsRefused              signed heads are not what the key signed
       ├─ LeaseLost                 this process no longer owns the file
       └─ CommitUnknown             a commit failed and nobody knows whether it is on disk

Names are those of the outcome and carry no suffix; every error keeps its data as attributes.
"""

from __future__ import annotations


class ChoragusError(Exception):
    """Base of every error that choragus raises."""


class StoredFault(ChoragusError, TypeError):
    """Raised when a class is registered for storage with a bad name or version, or twice under one name."""


class NotStorable(ChoragusError, TypeError):
    """Raised when a value cannot be written: its class is not registered, or a field holds what JSON cannot carry."""


class UnknownRecord(ChoragusError, LookupError):
    """Raised when stored bytes carry a name or version that no imported class is registered for."""


class CorruptRecord(ChoragusError, ValueError):
    """Raised when stored bytes do not match their digest or do not decode; names the record."""


class StoreError(ChoragusError):
    """Base of what the store refuses or cannot do."""


class NotChoragusFile(StoreError):
    """Raised when the path holds something else than a choragus database; the file is left untouched."""


class NewerSchema(StoreError):
    """Raised when the file's schema is newer than this choragus knows; the file is left untouched."""


class HeadsRefused(StoreError):
    """Raised when exported heads cannot be trusted: no signature, another key's, or not what was signed."""


class FileInUse(StoreError):
    """Raised when a second process wants to run a file that a live process owns."""


class FileBusy(StoreError):
    """Raised when another process has kept the file's write lock for too long; nothing was begun, so try again."""


class LeaseLost(StoreError):
    """Raised when another process has taken the file over; whatever this one had not committed did not happen."""


class CommitUnknown(StoreError):
    """Raised when a transaction failed in a way that leaves open whether it is on disk; reopening the file tells."""
