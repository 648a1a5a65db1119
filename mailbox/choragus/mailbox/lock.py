"""A lock that dies with its process: flock on a file beside the database, never on the database itself.

SQLite takes its own POSIX locks on the database file, and closing any descriptor of that file drops them all; hence
the sidecar. It is never deleted: a lock on a deleted file excludes nobody.
"""

from __future__ import annotations

import os
from pathlib import Path

from .errors import StoreError

try:
    import fcntl
except ImportError:  # Windows imports this module, and is refused when it claims
    fcntl = None  # type: ignore[assignment]  # the module, or that there is none


class FileLock:
    """Exclusive ownership of a path among the processes of one machine; ends with the process, however it ends."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._descriptor is not None

    def acquire(self) -> bool:
        """Take the lock without waiting, and write the process id into the file; False when another holds it.

        Raises:
            StoreError: when the platform has no flock, or the lock file cannot be opened.
        """
        if self._descriptor is not None:
            return True
        if fcntl is None:
            raise StoreError(f"{self.path}: this platform has no flock, so nobody can own the file; use Linux or macOS")
        try:
            descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StoreError(f"the lock file {self.path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self.path} cannot be locked: {error.strerror}; use a local file system") from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        self._descriptor = descriptor
        return True

    def holder(self) -> int | None:
        """The process id that the last holder wrote; for messages only."""
        try:
            return int(self.path.read_text())
        except (OSError, ValueError):
            return None

    def release(self) -> None:
        """Let go; nothing happens when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
