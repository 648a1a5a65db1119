"""A program on a pseudo terminal: what it shows, and what is typed."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

PATIENCE = 20.0
"""Seconds to wait for something to be shown."""


class PseudoTerminal:
    """Runs a program whose input and output are a terminal, until the end of the block at the latest."""

    def __init__(self, line: Sequence[str]) -> None:
        self._line = line
        self.shown = ""
        self._seen = 0

    def __enter__(self) -> Self:
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(self._line, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def read_until(self, text: str) -> None:
        """Read until the text has been shown, behind the one that was waited for before."""
        end = time.monotonic() + PATIENCE
        while text not in self.shown[self._seen :]:
            assert self._read(end), f"{text!r} was not shown, but {self.shown[self._seen :]!r}"
        self._seen = self.shown.index(text, self._seen) + len(text)

    def type(self, text: str) -> None:
        """Type the text, with the end of the line in it, if there is to be one."""
        os.write(self._ours, text.encode())

    def ends(self) -> int:
        """Read on to the program's end; gives back its exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(end):
            pass
        return self.process.wait(PATIENCE)

    def _read(self, end: float) -> bool:
        if not select.select([self._ours], [], [], max(0.0, end - time.monotonic()))[0]:
            return False
        try:
            read = os.read(self._ours, 65_536)
        except OSError:  # Linux's way to say that the program's side is closed
            return False
        self.shown += read.decode(errors="replace").replace("\r\n", "\n")
        return bool(read)
