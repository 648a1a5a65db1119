"""The revision of a git working tree, read from its files: no git is run, for a repository can have git run anything.

What is read is bounded. Whatever cannot be told is None: nothing here raises, and nothing decides anything.
"""

from __future__ import annotations

import hashlib
import os
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from attrs import frozen

MOST_ABOVE = 40
"""Folders above a file in which a working tree is looked for."""

MOST_FILES = 50_000
"""Tracked files that are looked at; of a tree with more nobody says whether it is dirty."""

MOST_HASHED = 4_000_000
"""Bytes of files that are hashed because their times differ from what git has noted; beyond it the tree is dirty."""

SECONDS = 0.5
"""For looking at one tree."""

_ENTRY = struct.Struct(">10I20sH")
_LINK = 0o12
_GIT_LINK = 0o16
_SKIP = 0x4000
_EXTENDED = 0x4000


@frozen
class Revision:
    """The commit that a working tree stands on, and whether a tracked file is another (None: nobody can tell)."""

    commit: str
    dirty: bool | None = None


def tree_of(path: Path) -> Path | None:
    """The top of the git working tree that a file lies in."""
    for folder in list(path.parents)[:MOST_ABOVE]:
        try:
            if (folder / ".git").exists():
                return folder
        except OSError:
            return None
    return None


def revision(top: Path) -> Revision | None:
    """Where the working tree at that folder stands; None when it cannot be read, or has no commit."""
    try:
        git = _folder(top)
        shared = _shared(git)
        commit = _commit(git, shared)
    except (OSError, ValueError):
        return None
    if commit is None:
        return None
    try:
        return Revision(commit, _is_dirty(top, git, shared, commit))
    except (OSError, ValueError, struct.error, IndexError, zlib.error):
        return Revision(commit)


def _folder(top: Path) -> Path:
    """The folder of git; of a worktree or submodule a file says where it is."""
    git = top / ".git"
    if git.is_dir():
        return git
    return (top / git.read_text("utf-8").removeprefix("gitdir:").strip()).resolve()


def _shared(git: Path) -> Path:
    """Where the branches and objects are: worktrees have these in common."""
    named = git / "commondir"
    return (git / named.read_text("utf-8").strip()).resolve() if named.is_file() else git


def _commit(git: Path, shared: Path) -> str | None:
    said = (git / "HEAD").read_text("utf-8").strip()
    for _ in range(5):  # a branch may be another name of a branch
        if not said.startswith("ref:"):
            return said if _is_hash(said) else None
        name = said.removeprefix("ref:").strip()
        if ".." in name.split("/"):
            return None
        found = next((one / name for one in (git, shared) if (one / name).is_file()), None)
        if found is None:
            return _packed(shared, name)
        said = found.read_text("utf-8").strip()
    return None


def _packed(shared: Path, name: str) -> str | None:
    packed = shared / "packed-refs"
    if not packed.is_file():
        return None
    for line in packed.read_text("utf-8", "replace").splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name and _is_hash(commit):
            return commit
    return None


def _is_hash(text: str) -> bool:
    return len(text) in (40, 64) and all(one in "0123456789abcdef" for one in text)


def _is_dirty(top: Path, git: Path, shared: Path, commit: str) -> bool | None:
    if len(commit) != 40:
        return None  # the index of a SHA-256 repository has another shape
    until, hashed = time.monotonic() + SECONDS, 0
    index = (git / "index").read_bytes()
    version, count = struct.unpack_from(">4xII", index)
    if index[:4] != b"DIRC" or version not in (2, 3) or count > MOST_FILES:
        return None
    behind = 12
    for mode, size, mtime, name, sha, end in _entries(index, count, version):
        behind = end
        if time.monotonic() > until:
            return None
        if mode >> 12 in (_GIT_LINK, 0):
            continue
        path = top / os.fsdecode(name)
        try:
            found = path.lstat()
        except (FileNotFoundError, NotADirectoryError):
            return True
        if found.st_size & 0xFFFFFFFF == size and found.st_mtime_ns == mtime:
            continue
        hashed += found.st_size
        if hashed > MOST_HASHED or _blob(path, mode) != sha:
            return True
    return _is_staged(index[behind:-20], shared, commit)


def _entries(index: bytes, count: int, version: int) -> Iterator[tuple[int, int, int, bytes, bytes, int]]:
    """Of each tracked file: mode, size, time of its last change [ns], name, hash, and where the next entry begins."""
    at = 12
    for _ in range(count):
        _, _, seconds, nanoseconds, _, _, mode, _, _, size, sha, flags = _ENTRY.unpack_from(index, at)
        start = at + _ENTRY.size
        skipped = False
        if version == 3 and flags & _EXTENDED:
            skipped = bool(struct.unpack_from(">H", index, start)[0] & _SKIP)
            start += 2
        name = index[start : index.index(b"\0", start)]
        at += (start - at + len(name)) // 8 * 8 + 8
        yield 0 if skipped else mode, size, seconds * 10**9 + nanoseconds, name, sha, at


def _blob(path: Path, mode: int) -> bytes:
    content = os.fsencode(os.readlink(path)) if mode >> 12 == _LINK else path.read_bytes()
    return _sha1(content) if b"\r\n" not in content else _sha1(content.replace(b"\r\n", b"\n"))


def _sha1(content: bytes) -> bytes:
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).digest()


def _is_staged(extensions: bytes, shared: Path, commit: str) -> bool | None:
    """Whether what git has noted for the next commit is another tree than that of this one, as far as that is told."""
    noted = _noted_tree(extensions)
    stored = shared / "objects" / commit[:2] / commit[2:]
    if noted is None:
        return None
    if not stored.is_file():
        return False  # packed: it was committed a while ago, and the files are as git has noted them
    content = zlib.decompressobj().decompress(stored.read_bytes(), 4096).partition(b"\0")[2]
    return content[:45] != b"tree " + noted.hex().encode()


def _noted_tree(extensions: bytes) -> bytes | None:
    at = 0
    while at + 8 <= len(extensions):
        name, size = extensions[at : at + 4], struct.unpack_from(">I", extensions, at + 4)[0]
        if name == b"TREE":
            _, _, rest = extensions[at + 8 : at + 8 + size].partition(b"\0")
            said, _, sha = rest.partition(b"\n")
            return None if said.startswith(b"-1") else sha[:20]
        at += 8 + size
    return None
