"""The interposer from Python: built here, loaded by LD_PRELOAD in another process, spoken to from inside of that."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum, IntFlag
from pathlib import Path

import attrs

SOURCE = Path(__file__).with_name("interposer.c")


class Kind(IntFlag):
    """Which calls are counted, as in interposer.c."""

    WRITE = 1
    SYNC = 2
    NAME = 4
    SIZE = 8
    ANY = 15


class Mode(IntEnum):
    """What happens at a call, as in interposer.c."""

    KILL = 1
    TORN = 2
    EIO = 3
    ENOSPC = 4
    EDQUOT = 5
    SHORT = 6
    LIE = 7


FOR_EVER = 0


@attrs.frozen
class Shot:
    """What goes wrong at which call, counted from 1, and for how many calls; `FOR_EVER`: from then on."""

    at: int
    mode: Mode
    lasting: int = 1

    def __str__(self) -> str:
        match self.lasting:
            case 1:
                return f"{self.mode.name} at {self.at}"
            case 0:
                return f"{self.mode.name} from {self.at} on"
            case _:
                return f"{self.mode.name} from {self.at} on for {self.lasting} calls"


def missing() -> str:
    """Why there can be no interposer here; empty when there can."""
    if sys.platform != "linux":
        return f"the interposer is for Linux, and this is {sys.platform}"
    if shutil.which("cc") is None:
        return "no C compiler: `cc` is not on the PATH"
    return ""


def build(folder: Path) -> Path:
    """Compile it into a folder; gives the library."""
    library = folder / "interposer.so"
    line = ["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl", "-lpthread"]
    subprocess.run(line, check=True, capture_output=True)
    return library


@contextmanager
def preloaded(library: Path) -> Iterator[None]:
    """Processes that are started here meanwhile have it loaded."""
    before = os.environ.get("LD_PRELOAD")
    os.environ["LD_PRELOAD"] = str(library)
    try:
        yield
    finally:
        if before is None:
            del os.environ["LD_PRELOAD"]
        else:
            os.environ["LD_PRELOAD"] = before


class Interposer:
    """The one that is loaded in this process.

    Raises:
        RuntimeError: when there is none.
    """

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None)
        if not hasattr(self._library, "calls_begin"):
            raise RuntimeError("no interposer in this process: start it under `preloaded(build(folder))`")
        self._library.calls_made.restype = ctypes.c_long

    def begin(self, path: str, *, grave: Path | None = None, log: Path | None = None, kinds: Kind = Kind.ANY) -> None:
        """Count from here on the calls on files whose path holds the text; "" for none.

        Args:
            grave: gets a line for each shot that hit: the call, its file, its bytes.
            log: gets every call, as `log.py` reads them.
        """
        self._library.calls_begin(
            path.encode(), b"" if grave is None else bytes(grave), b"" if log is None else bytes(log), int(kinds)
        )

    def arm(self, shot: Shot) -> None:
        """Have something go wrong; at most 8 times."""
        if self._library.calls_arm(ctypes.c_long(shot.at), int(shot.mode), ctypes.c_long(shot.lasting)) != 0:
            raise ValueError(f"{shot}: 8 shots are armed already (the limit)")

    def calls(self) -> int:
        """How many were counted."""
        return int(self._library.calls_made())

    @property
    def is_armed(self) -> bool:
        """Whether anything is to go wrong here."""
        return bool(self._library.calls_armed())

    def ack(self, number: int) -> None:
        """Into the log: the host was told this number."""
        self._library.calls_ack(ctypes.c_uint64(number))
