"""Files within one folder, opened step by step so that nothing can be exchanged between the check and the use."""

from __future__ import annotations

import os
import stat
from io import BufferedRandom, BufferedReader, BufferedWriter
from pathlib import PurePosixPath
from typing import Literal

from attrs import field, frozen

from choragus.agents.errors import AgentFault, NotPermitted

LONGEST = 4096
DEEPEST = 64
Mode = Literal["rb", "wb", "ab", "xb", "r+b"]
_FLAGS = {
    "rb": os.O_RDONLY,
    "wb": os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    "ab": os.O_WRONLY | os.O_CREAT | os.O_APPEND,
    "xb": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
    "r+b": os.O_RDWR,
}


def _as_root(root: str | os.PathLike[str]) -> str:
    return os.fspath(root)


@frozen
class PathBoundary:
    """Opens files below a folder, and nothing else.

    A path is taken relative to the folder; one that begins with the folder itself may be given too. `..` and symbolic
    links are refused wherever they stand: each folder on the way is opened from the one before it and not by its name.
    A file that has a second name (a hard link) is refused too, for that may stand elsewhere.

    >>> PathBoundary("/data").permits("../etc/passwd")
    "'..' leads out of /data"

    Args:
        root: the folder, absolute. It is followed if it is a link itself, for it is yours.

    Raises:
        AgentFault: when the folder is not absolute, or the system cannot open files step by step (Windows).
    """

    root: str = field(converter=_as_root)

    def __attrs_post_init__(self) -> None:
        if not os.path.isabs(self.root) or "\0" in self.root:
            raise AgentFault(f"PathBoundary({self.root!r}): give an absolute path")
        if os.open not in os.supports_dir_fd or not hasattr(os, "O_NOFOLLOW"):
            raise AgentFault("PathBoundary needs a system that opens files relative to a folder, such as Linux")

    def permits(self, path: str) -> str:
        """Why the path is refused as it is written, or nothing. Links are found only when it is opened."""
        try:
            self._steps(path)
        except NotPermitted as error:
            return error.reason
        return ""

    def open(self, path: str, mode: Mode = "rb") -> BufferedReader | BufferedWriter | BufferedRandom:
        """The open file. Only plain files are opened; folders on the way must be there.

        Raises:
            NotPermitted: when the path leads out of the folder, through a link, or to something that is no plain file.
            FileNotFoundError, FileExistsError, PermissionError: as `open`.
        """
        if mode not in _FLAGS:
            raise AgentFault(f"mode {mode!r} is none of {', '.join(_FLAGS)}")
        *folders, name = self._steps(path)
        here = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for folder in folders:
                below = self._step(path, folder, os.O_RDONLY | os.O_DIRECTORY, here)
                os.close(here)
                here = below
            # Without O_NONBLOCK a pipe that lies there would hold the caller until somebody writes into it. What is
            # there is emptied only once it is known to be a plain file.
            flags = _FLAGS[mode] & ~os.O_TRUNC | os.O_NONBLOCK | getattr(os, "O_NOCTTY", 0)
            found = self._step(path, name, flags, here)
        finally:
            os.close(here)
        try:
            status = os.fstat(found)
            if not stat.S_ISREG(status.st_mode):
                raise NotPermitted(path, "it is no plain file")
            if status.st_nlink > 1:
                raise NotPermitted(path, "the file has other names too (hard links), perhaps outside")
            os.set_blocking(found, True)
            if _FLAGS[mode] & os.O_TRUNC:
                os.ftruncate(found, 0)
            return os.fdopen(found, mode)  # type: ignore[return-value]  # buffered, for every mode is binary
        except BaseException:
            os.close(found)
            raise

    def _steps(self, path: str) -> tuple[str, ...]:
        if "\0" in path:
            raise NotPermitted(path, "it contains a NUL byte")
        if len(path) > LONGEST:
            raise NotPermitted(path[:80] + "...", f"it has {len(path)} characters, {LONGEST} are permitted")
        plain = PurePosixPath(path)
        if plain.is_absolute():
            root = PurePosixPath(self.root)
            if root not in plain.parents:
                raise NotPermitted(path, f"it is not below {self.root}")
            plain = plain.relative_to(root)
        if ".." in plain.parts:
            raise NotPermitted(path, f"'..' leads out of {self.root}")
        if not plain.parts or path.endswith("/"):
            raise NotPermitted(path, "it names no file")
        if len(plain.parts) > DEEPEST:
            raise NotPermitted(path, f"it has {len(plain.parts)} parts, {DEEPEST} are permitted")
        return plain.parts

    def _step(self, path: str, name: str, flags: int, here: int) -> int:
        try:
            return os.open(name, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666, dir_fd=here)
        except OSError as error:
            if self._is_link(name, here):
                raise NotPermitted(path, f"{name!r} is a link") from None
            if isinstance(error, FileNotFoundError | FileExistsError | PermissionError):
                raise
            raise NotPermitted(path, f"{name!r}: {error.strerror}") from None

    def _is_link(self, name: str, here: int) -> bool:
        try:
            return stat.S_ISLNK(os.stat(name, dir_fd=here, follow_symlinks=False).st_mode)
        except (OSError, ValueError):
            return False
