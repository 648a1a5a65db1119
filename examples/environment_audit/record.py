"""Whether the files of a distribution are those that its RECORD lists."""

from __future__ import annotations

import base64
import csv
import hashlib
import posixpath
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypedDict

import attrs

from .inventory import MAX_NAMED, clip, find

LEVELS_UP = 3  # from lib/python3.x/site-packages to the environment itself, where scripts and data files go
SIZE = re.compile(r"[0-9]{1,18}")
ALGORITHMS = ("sha256", "sha384", "sha512")  # the standard forbids weaker ones

Problem = Literal["absent", "changed", "unreadable", "malformed", "outside"]
State = Literal["verified", "unhashed"] | Problem


class RecordItem(TypedDict):
    """One row of a RECORD that does not hold: what is wrong, the path as the row gives it, and why."""

    kind: Problem
    path: str
    reason: str


class FileCheck(TypedDict):
    """What became of a RECORD's rows: counts of all, and 20 named at most (`left_out` counts the others).

    `record` is `ok` when the RECORD could be read; otherwise `reason` says why not, and nothing is counted.
    """

    distribution: str
    record: Literal["ok", "missing", "unreadable"]
    reason: str
    rows: int
    verified: int
    unhashed: int
    absent: int
    changed: int
    unreadable: int
    malformed: int
    outside: int
    items: list[RecordItem]
    left_out: int


@attrs.frozen
class _Row:
    path: str
    algorithm: str = ""
    digest: str = ""
    size: str = ""


@attrs.frozen
class _Verdict:
    state: State
    path: str
    reason: str = ""


def check_files(root: Path, distribution: str) -> FileCheck:
    """Compare the files of a distribution with its RECORD: present, of the size and with the hash that it says.

    A row without a hash (the RECORD itself, what an installer or an editable install adds) only has to exist, and
    compiled files (`.pyc`) without a hash not even that. A row may point up to the environment around `root`, as
    scripts do (`../../../bin/x`); one that points further, or is absolute, is `outside` and its file is not read.
    Rows are read line by line, so that a broken one costs no other. Needs no METADATA.

    Raises:
        ValueError: when the distribution is not installed.
    """
    subject = find(root, distribution)
    if subject.is_legacy:
        return _result(subject.name, "missing", "an egg-info has no RECORD")
    try:
        lines = (subject.folder / "RECORD").read_bytes().decode("utf-8").replace("\r\n", "\n").split("\n")
    except (FileNotFoundError, NotADirectoryError):
        return _result(subject.name, "missing", "there is no RECORD")
    except UnicodeDecodeError as error:
        return _result(subject.name, "unreadable", f"RECORD is not UTF-8 at offset {error.start}")
    except OSError as error:
        return _result(subject.name, "unreadable", f"RECORD cannot be read: {error.strerror}")
    if not any(lines):
        return _result(subject.name, "unreadable", "RECORD is empty")
    return _result(subject.name, "ok", "", [_check(root, line) for line in lines if line])


def _result(
    distribution: str,
    record: Literal["ok", "missing", "unreadable"],
    reason: str,
    verdicts: Sequence[_Verdict] = (),
) -> FileCheck:
    states = [verdict.state for verdict in verdicts]
    items = sorted(filter(None, map(_item, verdicts)), key=lambda item: (item["path"], item["kind"]))
    return {
        "distribution": distribution,
        "record": record,
        "reason": reason,
        "rows": len(states),
        "verified": states.count("verified"),
        "unhashed": states.count("unhashed"),
        "absent": states.count("absent"),
        "changed": states.count("changed"),
        "unreadable": states.count("unreadable"),
        "malformed": states.count("malformed"),
        "outside": states.count("outside"),
        "items": items[:MAX_NAMED],
        "left_out": max(0, len(items) - MAX_NAMED),
    }


def _item(verdict: _Verdict) -> RecordItem | None:
    if verdict.state == "verified" or verdict.state == "unhashed":
        return None
    return {"kind": verdict.state, "path": clip(verdict.path), "reason": verdict.reason}


def _check(root: Path, line: str) -> _Verdict:
    row = _parse(line)
    if isinstance(row, _Verdict):
        return row
    if _is_outside(row.path):
        return _Verdict("outside", row.path, "points out of the environment")
    try:
        return _compare(root / row.path, row)
    except (FileNotFoundError, NotADirectoryError):
        if row.path.endswith(".pyc") and not row.digest:
            return _Verdict("unhashed", row.path)
        return _Verdict("absent", row.path, "recorded, but not there")
    except OSError as error:
        return _Verdict("unreadable", row.path, error.strerror or type(error).__name__)


def _parse(line: str) -> _Row | _Verdict:
    try:
        fields = next(csv.reader([line], strict=True))
    except csv.Error as error:
        return _Verdict("malformed", line, f"not a row of CSV: {error}")
    if len(fields) != 3:
        return _Verdict("malformed", line, f"{len(fields)} fields instead of 3")
    path, hash_, size = fields
    algorithm, _, digest = hash_.partition("=")
    if not path or "\0" in path:
        return _Verdict("malformed", line, "no usable path")
    if hash_ and (algorithm not in ALGORITHMS or not digest):
        return _Verdict("malformed", path, f"{clip(hash_)!r} is no hash by {', '.join(ALGORITHMS)}")
    if size and not SIZE.fullmatch(size):
        return _Verdict("malformed", path, f"{clip(size)!r} is no size")
    return _Row(path, algorithm, digest.rstrip("="), size)


def _is_outside(path: str) -> bool:
    plain = posixpath.normpath(path.replace("\\", "/"))
    drive = plain[1:2] == ":"
    return drive or posixpath.isabs(plain) or plain.split("/").count("..") > LEVELS_UP


def _compare(file: Path, row: _Row) -> _Verdict:
    size = file.stat().st_size
    if not file.is_file():
        return _Verdict("changed", row.path, "not a file any more")
    if row.size and size != int(row.size):
        return _Verdict("changed", row.path, f"{row.size} bytes recorded, {size} found")
    if not row.digest:
        return _Verdict("unhashed", row.path)
    with file.open("rb") as stream:
        found = hashlib.file_digest(stream, row.algorithm).digest()
    if base64.urlsafe_b64encode(found).decode("ascii").rstrip("=") != row.digest:
        return _Verdict("changed", row.path, f"its {row.algorithm} differs")
    return _Verdict("verified", row.path)
