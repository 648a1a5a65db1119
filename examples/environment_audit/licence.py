"""Which licence a distribution declares, and whether the licence files that it lists are there."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import Literal, TypedDict

from .inventory import MAX_NAMED, Distribution, clip, find_readable

# What an audit passes without a second look: SPDX ids (and two exceptions) that most of the packages in use carry.
COMMON_IDS = frozenset(
    """
    0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 CC0-1.0 CNRI-Python HPND ISC MIT MIT-0 MIT-CMU MPL-2.0 PSF-2.0
    Python-2.0 Unlicense Zlib ZPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later GPL-2.0-only
    GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later LLVM-exception GCC-exception-3.1
    """.lower().split()
)
# The same licences as trove classifiers name them, without "License :: " and "OSI Approved :: ".
COMMON_CLASSIFIERS = frozenset(
    {
        "Apache Software License",
        "BSD License",
        "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication",
        "GNU General Public License v2 (GPLv2)",
        "GNU General Public License v2 or later (GPLv2+)",
        "GNU General Public License v3 (GPLv3)",
        "GNU General Public License v3 or later (GPLv3+)",
        "GNU Lesser General Public License v2 or later (LGPLv2+)",
        "GNU Lesser General Public License v3 (LGPLv3)",
        "GNU Lesser General Public License v3 or later (LGPLv3+)",
        "Historical Permission Notice and Disclaimer (HPND)",
        "ISC License (ISCL)",
        "MIT License",
        "MIT No Attribution License (MIT-0)",
        "Mozilla Public License 2.0 (MPL 2.0)",
        "Python Software Foundation License",
        "The Unlicense (Unlicense)",
        "Zope Public License",
        "zlib/libpng License",
    }
)
# The same licences as people write them in the License field, in lower case.
COMMON_TEXTS = COMMON_IDS | {
    "apache",
    "apache 2",
    "apache 2.0",
    "apache license 2.0",
    "apache license, version 2.0",
    "apache software license 2.0",
    "bsd",
    "bsd 2-clause license",
    "bsd 3-clause",
    "bsd 3-clause license",
    "bsd license",
    "isc license",
    "mit license",
    "mpl 2.0",
    "new bsd license",
    "psf",
    "the mit license",
}
UNSPECIFIC = frozenset({"", "OSI Approved", "DFSG approved"})
LICENCE_NAME = re.compile(r"(licen[cs]e|copying|unlicense)", re.IGNORECASE)

FileState = Literal["ok", "absent", "empty", "outside"]


class LicenceFile(TypedDict):
    """A licence file as the distribution lists it; `outside` when its path leaves the metadata folder."""

    path: str
    state: FileState


class LicenceCheck(TypedDict):
    """What a distribution says of its licence; `files` names 20 at most, those in disorder first."""

    distribution: str
    expression: str
    text: str
    classifiers: list[str]
    files: list[LicenceFile]
    left_out: int
    verdict: Literal["ok", "missing", "unusual"]
    reason: str


def check_licence(root: Path, distribution: str) -> LicenceCheck:
    """Judge the licence that a distribution declares, and look whether its licence files exist and hold something.

    The verdict is `missing` when nothing is declared and no licence file is there, or when a listed file is absent or
    empty; `unusual` when what is declared is not in `COMMON_IDS`, `COMMON_CLASSIFIERS` or `COMMON_TEXTS`; else `ok`.
    The licence expression counts first, then the classifiers, then the free text.

    Raises:
        ValueError: when the distribution is not installed, or when its metadata cannot be read.
    """
    subject = find_readable(root, distribution)
    files = sorted(_files(subject), key=lambda file: (file["state"] == "ok", file["path"]))
    classifiers = _classifiers(subject)
    reason_missing = _reason_missing(subject, files, classifiers)
    reason_unusual = _reason_unusual(subject, classifiers)
    return {
        "distribution": subject.name,
        "expression": clip(subject.field("License-Expression")),
        "text": clip(subject.field("License")),
        "classifiers": classifiers[:MAX_NAMED],
        "files": files[:MAX_NAMED],
        "left_out": max(0, len(files) - MAX_NAMED),
        "verdict": "missing" if reason_missing else "unusual" if reason_unusual else "ok",
        "reason": reason_missing or reason_unusual,
    }


def _reason_missing(subject: Distribution, files: list[LicenceFile], classifiers: list[str]) -> str:
    declared = subject.field("License-Expression") or subject.field("License") or classifiers
    if not declared and not files:
        return "no licence is declared and no licence file is there"
    broken = [f"{file['path']} is {file['state']}" for file in files if file["state"] != "ok"]
    return f"of the licence files listed, {', '.join(broken[:3])}" if broken else ""


def _reason_unusual(subject: Distribution, classifiers: list[str]) -> str:
    expression, text = subject.field("License-Expression"), subject.field("License")
    if expression:
        strange = [part for part in _ids(expression) if part.lower() not in COMMON_IDS]
        return f"not a common SPDX id: {', '.join(map(clip, strange))}" if strange else ""
    if classifiers:
        strange = [name for name in classifiers if name not in COMMON_CLASSIFIERS]
        return f"not a common licence: {', '.join(strange)}" if strange else ""
    if not text:
        return "no licence is declared, there are only licence files"
    return "" if text.lower() in COMMON_TEXTS else f"not a common licence: {clip(text)}"


def _ids(expression: str) -> list[str]:
    words = re.split(r"[\s()]+", expression)
    return [word for word in words if word and word.upper() not in ("AND", "OR", "WITH")]


def _classifiers(subject: Distribution) -> list[str]:
    names = (
        classifier.removeprefix("License ::").strip().removeprefix("OSI Approved ::").strip()
        for classifier in subject.fields("Classifier")
        if classifier.startswith("License ::")
    )
    return sorted({clip(name) for name in names if name not in UNSPECIFIC})


def _files(subject: Distribution) -> list[LicenceFile]:
    if subject.is_legacy:
        return []
    listed = sorted(set(subject.fields("License-File")))
    if not listed:
        present = sorted(entry.name for entry in subject.folder.iterdir() if entry.is_file())
        listed = [name for name in present if LICENCE_NAME.match(name)]
    return [{"path": clip(path), "state": _state(subject.folder, path)} for path in listed]


def _state(folder: Path, path: str) -> FileState:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        return "outside"
    # the standard's place first, then where earlier build tools put licence files
    places = (folder / "licenses" / pure, folder / "license_files" / pure, folder / pure, folder / pure.name)
    sizes = [place.stat().st_size for place in places if place.is_file()]
    if not sizes:
        return "absent"
    return "ok" if any(sizes) else "empty"
