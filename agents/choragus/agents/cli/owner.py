"""Who owns a file, as its lease says."""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from choragus.mailbox.reader import Reader

from .text import duration


class Owner(NamedTuple):
    """The last one to own the file. `is_clean`: it ended in order; `expires` is when its lease runs out."""

    pid: int
    expires: float
    is_clean: bool
    is_locked: bool

    @property
    def lives(self) -> bool:
        """Whether it goes on: its lease has not run out, and, on this machine, its process is there."""
        return not self.is_clean and self.expires > time.time() and not (self.is_locked and not _is_there(self.pid))

    @property
    def is_silent(self) -> bool:
        """Whether its process is there and has let its lease run out: it is stopped, or hangs."""
        return not self.is_clean and self.expires <= time.time() and self.is_locked and _is_there(self.pid)

    def told(self) -> str:
        """It in a few words."""
        if self.lives:
            return f"process {self.pid}, lease for {duration(self.expires - time.time())} more"
        if self.is_silent:
            return f"process {self.pid}, which has not renewed its lease for {duration(time.time() - self.expires)}"
        return (
            "nobody; the last ended in order" if self.is_clean else f"nobody; process {self.pid} was killed, or crashed"
        )


def owner_of(reader: Reader) -> Owner | None:
    """Who owns the file, or did last; None when nobody ever has."""
    for expires, clean, pid, locked in reader.rows("SELECT expires, clean, pid, locked FROM lease"):
        return Owner(int(str(pid)), float(str(expires)), bool(clean), bool(locked))
    return None


def told(owner: Owner | None) -> str:
    """Who owns the file, in a few words."""
    return "nobody; nobody ever has" if owner is None else owner.told()


def _is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
