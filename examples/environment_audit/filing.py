"""The audit's two effects: writing the report, and filing a copy of it under a name from its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from .report import Finding, defects, render

REPORT = "audit-report.md"
ARCHIVE = "audit-archive"


class Written(TypedDict):
    """A report that was written: its name in the output folder, its SHA-256 in hex, and how many defects it names."""

    report: str
    sha256: str
    findings: int


class Filed(TypedDict):
    """A report that was filed: the copy's path in the output folder."""

    filed: str


def write(out: Path, findings: Sequence[Finding]) -> Written:
    """Render the findings into the report in `out`, which is made if need be; an earlier report is replaced.

    Atomic: at every moment the file is the old report or the new one.
    """
    content = render(findings).encode("utf-8")
    out.mkdir(parents=True, exist_ok=True)
    os.replace(_draft(out, content), out / REPORT)
    return {"report": REPORT, "sha256": hashlib.sha256(content).hexdigest(), "findings": defects(findings)}


def file(out: Path, report: str, sha256: str) -> Filed:
    """Copy the report into the archive as `audit-<first 12 digits of its digest>.md`, once.

    Atomic: a copy that is there is complete.

    Raises:
        ValueError: when `report` is not the report's name, or its bytes no longer have the digest.
        FileExistsError: when the archive already has a file of that name; it is left as it is.
        OSError: when there is no report, or the file system cannot link files.
    """
    if report != REPORT:
        raise ValueError(f"{report!r} is not the report that can be filed; write_report returns its name, {REPORT!r}")
    content = (out / REPORT).read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(
            f"{report} has the SHA-256 {found}, not {sha256}: it changed, so it is not filed; write it anew"
        )
    name = f"{ARCHIVE}/audit-{found[:12]}.md"
    (out / ARCHIVE).mkdir(exist_ok=True)
    draft = _draft(out, content)
    try:
        # a link fails when the name is taken, as O_EXCL does, but a kill leaves no half of a file under that name
        os.link(draft, out / name)
    except FileExistsError:
        raise FileExistsError(f"{name} is there already and is left as it is") from None
    finally:
        draft.unlink()
    return {"filed": name}


def _draft(out: Path, content: bytes) -> Path:
    # one fixed name: what a kill leaves behind is overwritten by the next attempt
    draft = out / f".{REPORT}.draft"
    with draft.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    return draft
