"""The audit's report: findings in, Markdown out, and the same bytes for the same findings.

Nothing in it depends on when, where or in which order the audit ran.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal, TypedDict, get_args

Kind = Literal[
    "conflicting_requirement",
    "unmet_requirement",
    "undecided_requirement",
    "invalid_requirement",
    "absent_file",
    "changed_file",
    "suspicious_record",
    "missing_licence",
    "unusual_licence",
    "duplicate",
    "unreadable_metadata",
    "unreadable_files",
    "failed_check",
    "checked",
]

FOUND: dict[Kind, str] = {
    "conflicting_requirement": "Requirements that conflict with what is installed",
    "unmet_requirement": "Requirements that are not installed",
    "undecided_requirement": "Requirements that could not be compared",
    "invalid_requirement": "Requirements that could not be understood",
    "absent_file": "Recorded files that are absent",
    "changed_file": "Recorded files that are changed",
    "suspicious_record": "Rows of a RECORD that are malformed or point out of the environment",
    "missing_licence": "Licences that are missing",
    "unusual_licence": "Licences that are unusual",
    "duplicate": "Names that are installed more than once",
}
UNREAD: dict[Kind, str] = {
    "unreadable_metadata": "Metadata that could not be read",
    "unreadable_files": "Files that could not be verified",
    "failed_check": "Checks that failed",
}


class Finding(TypedDict):
    """One thing that the audit saw: what kind of thing, at which distribution ("" for none), and one line on it.

    The kind `checked` is no defect: it says what was looked at.
    """

    kind: Kind
    distribution: str
    detail: str


def render(findings: Sequence[Finding]) -> str:
    """Render the report as Markdown: a summary, the findings by kind, what could not be read, and what was checked.

    Order and repetition of the findings make no difference. Texts from packages are escaped, so none of them can pass
    for a part of the report.

    Raises:
        ValueError: when a finding has a kind that is not one of `Kind`.
    """
    unknown = sorted({str(finding["kind"]) for finding in findings} - set(get_args(Kind)))
    if unknown:
        raise ValueError(f"{unknown[0]!r} is no kind of finding; the kinds are {', '.join(get_args(Kind))}")
    rows = sorted({(row["kind"], _plain(row["distribution"]), _plain(row["detail"])) for row in findings})
    by_kind: dict[Kind, list[tuple[str, str]]] = {kind: [] for kind in get_args(Kind)}
    for kind, distribution, detail in rows:
        by_kind[kind].append((distribution, detail))
    blocks = [
        ["# Audit of a Python environment"],
        _summary(by_kind),
        ["## Findings", *_sections(FOUND, by_kind, "Nothing was found.")],
        ["## What could not be read", *_sections(UNREAD, by_kind, "Everything could be read.")],
        _checked(by_kind["checked"]),
    ]
    return "\n\n".join(part for block in blocks for part in block) + "\n"


def defects(findings: Iterable[Finding]) -> int:
    """Count the findings that are more than a note on what was checked."""
    return sum(finding["kind"] != "checked" for finding in findings)


def _summary(by_kind: dict[Kind, list[tuple[str, str]]]) -> list[str]:
    lines = ["| What | Findings | Distributions |", "| --- | ---: | ---: |"]
    for kind, title in (FOUND | UNREAD).items():
        rows = by_kind[kind]
        lines.append(f"| {title} | {len(rows)} | {len({distribution for distribution, _ in rows})} |")
    return ["\n".join(lines)]


def _sections(titles: dict[Kind, str], by_kind: dict[Kind, list[tuple[str, str]]], nothing: str) -> list[str]:
    parts: list[str] = []
    for kind, title in titles.items():
        if by_kind[kind]:
            bullets = [f"- **{name or 'environment'}**: {detail}" for name, detail in by_kind[kind]]
            parts += [f"### {title}", "\n".join(bullets)]
    return parts or [nothing]


def _checked(rows: list[tuple[str, str]]) -> list[str]:
    if not rows:
        return ["## What was checked", "Nothing was checked."]
    lines = ["| Distribution | Checked |", "| --- | --- |"]
    lines += [f"| {distribution} | {detail} |" for distribution, detail in rows]
    return ["## What was checked", "\n".join(lines)]


def _plain(text: str) -> str:
    # "#" and ">" mean something only at the start of a line, where no such text ever stands
    return re.sub(r"([\\`*_\[\]<|])", r"\\\1", " ".join(text.split()))
