"""What is installed in a site-packages folder, read from the metadata folders in it.

A distribution is known by its folder's name, as importlib.metadata knows it, so one whose metadata is broken still has
a name. Only what lies in the folder itself counts: an environment that borrows from another one (system site packages,
`PYTHONPATH`) is judged by its own folder alone.
"""

from __future__ import annotations

import importlib.metadata
from email.message import Message
from email.parser import HeaderParser
from pathlib import Path
from typing import TypedDict

import attrs
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

MAX_NAMED = 20  # how many items a check names; a tool's result goes to a model
SUFFIXES = (".dist-info", ".egg-info")


class ListedDistribution(TypedDict):
    """One line of the inventory: `reason` is empty when the metadata is readable."""

    name: str
    version: str
    folder: str
    readable: bool
    reason: str


@attrs.frozen(kw_only=True)
class Distribution:
    """An installed distribution: its canonical name, its metadata folder, the headers in it and what it requires.

    `reason` says why the metadata cannot be relied on. It is empty when it can; otherwise the version is the one that
    the folder's name claims.
    """

    name: str
    version: str
    folder: Path
    headers: Message
    requirements: tuple[str, ...] = ()
    reason: str = ""

    @property
    def is_readable(self) -> bool:
        """Whether the metadata can be relied on."""
        return not self.reason

    @property
    def is_legacy(self) -> bool:
        """Whether this is an egg-info, which has neither RECORD nor licence files."""
        return self.folder.suffix == ".egg-info"

    def field(self, name: str) -> str:
        """Return the first value of a metadata field, or an empty text."""
        return next(iter(self.fields(name)), "")

    def fields(self, name: str) -> list[str]:
        """Return all values of a metadata field, in the order of the file, without those that say nothing."""
        values = (str(value).strip() for value in self.headers.get_all(name, []))
        return [value for value in values if value and value != "UNKNOWN"]


def list_distributions(root: Path) -> list[ListedDistribution]:
    """Return every distribution in `root`, sorted by name, with whether its metadata can be read.

    A name stands twice when two metadata folders claim it.
    """
    return [
        {
            "name": found.name,
            "version": found.version,
            "folder": clip(found.folder.name),
            "readable": found.is_readable,
            "reason": found.reason,
        }
        for found in scan(root)
    ]


def scan(root: Path) -> list[Distribution]:
    """Read every distribution in `root`, sorted by name and folder. Broken metadata never raises."""
    folders = (entry for entry in root.iterdir() if entry.suffix in SUFFIXES)
    return [read(folder) for folder in sorted(folders, key=lambda folder: (_claimed(folder)[0], folder.name))]


def locate(root: Path) -> dict[str, Path]:
    """Return the metadata folder of each canonical name, reading none; of two with one name the first counts."""
    folders = sorted((entry for entry in root.iterdir() if entry.suffix in SUFFIXES), reverse=True)
    return {_claimed(folder)[0]: folder for folder in folders}


def find(root: Path, distribution: str) -> Distribution:
    """Read one distribution, named in any spelling that the packaging standard holds equal.

    Raises:
        ValueError: when no metadata folder in `root` has that name.
    """
    folder = locate(root).get(canonicalize_name(distribution))
    if folder is None:
        raise ValueError(f"no distribution {distribution!r} is installed here; list_distributions names those that are")
    return read(folder)


def find_readable(root: Path, distribution: str) -> Distribution:
    """Read one distribution whose metadata must be readable.

    Raises:
        ValueError: when it is not installed, or when its metadata cannot be read.
    """
    found = find(root, distribution)
    if not found.is_readable:
        raise ValueError(f"the metadata of {found.name!r} cannot be read: {found.reason}; check_files does without it")
    return found


def read(folder: Path) -> Distribution:
    """Read one metadata folder; whatever is wrong with it becomes the `reason` of what is returned."""
    name, version = _claimed(folder)
    try:
        headers = _parse(folder)
        reason = _defect(headers, folder)
        requirements = _requirements(folder, headers) if not reason else ()
    except UnicodeDecodeError as error:
        headers, requirements = Message(), ()
        reason = f"the metadata is not UTF-8: byte 0x{error.object[error.start]:02x} at offset {error.start}"
    except FileNotFoundError:
        headers, requirements = Message(), ()
        reason = f"{_file(folder).name} is missing"
    except OSError as error:
        headers, requirements = Message(), ()
        reason = f"{_file(folder).name} cannot be read: {error.strerror}"
    if not reason:
        version = str(Version(str(headers["Version"])))
    return Distribution(
        name=name, version=version, folder=folder, headers=headers, requirements=requirements, reason=reason
    )


def _claimed(folder: Path) -> tuple[str, str]:
    name, _, rest = clip(folder.stem).partition("-")
    return canonicalize_name(name), rest.partition("-")[0]


def _file(folder: Path) -> Path:
    if folder.suffix == ".dist-info":
        return folder / "METADATA"
    return folder / "PKG-INFO" if folder.is_dir() else folder


def _parse(folder: Path) -> Message:
    # importlib.metadata parses in the same way, but what it makes of a missing file differs between Python versions
    text = _file(folder).read_bytes().decode("utf-8")
    return HeaderParser().parsestr(text.partition("\n\n")[0])


def _requirements(folder: Path, headers: Message) -> tuple[str, ...]:
    if folder.suffix == ".egg-info":
        return tuple(importlib.metadata.PathDistribution(folder).requires or ())
    return tuple(str(text).strip() for text in headers.get_all("Requires-Dist", []))


def _defect(headers: Message, folder: Path) -> str:
    if folder.name.startswith("~"):
        return "left over from an interrupted uninstall"
    for field in ("Name", "Version"):
        if not headers[field]:
            return f"the metadata has no {field}"
    if headers.defects:
        return "the metadata breaks off at a line that is no header"
    if canonicalize_name(str(headers["Name"])) != _claimed(folder)[0]:
        return f"the metadata says that it is of {clip(str(headers['Name']))!r}"
    try:
        Version(str(headers["Version"]))
    except InvalidVersion:
        return f"{clip(str(headers['Version']))!r} is no valid version"
    return ""


def clip(text: str, limit: int = 160) -> str:
    """Return the first line of a text, cut to `limit` characters with an ellipsis for the rest.

    Bytes of a file's name that are not UTF-8 are spelled out, because JSON cannot carry them.
    """
    line = next(iter(text.strip().splitlines()), "").encode("utf-8", "backslashreplace").decode("utf-8")
    return line if len(line) <= limit else line[: limit - 1] + "…"
