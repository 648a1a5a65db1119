"""What tool results amount to: findings for the report. Nothing is concluded that no result says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from .evidence import Evidence
from .inventory import ListedDistribution, clip
from .licence import LicenceCheck
from .record import FileCheck, Problem
from .report import Finding, Kind
from .requirement import DependentCheck, RequirementCheck, RequirementProblem

SHAPES: Mapping[str, type[object]] = {
    "list_distributions": list[ListedDistribution],
    "check_requirements": RequirementCheck,
    "check_licence": LicenceCheck,
    "check_files": FileCheck,
    "who_requires": DependentCheck,
}
LICENCE_KINDS: Mapping[str, Kind] = {"missing": "missing_licence", "unusual": "unusual_licence"}
FILE_KINDS: Mapping[Problem, Kind] = {
    "absent": "absent_file",
    "changed": "changed_file",
    "unreadable": "unreadable_files",
    "malformed": "suspicious_record",
    "outside": "suspicious_record",
}


def listing(evidence: Evidence) -> list[ListedDistribution]:
    """Return the inventory that the evidence holds, empty when there is none."""
    return evidence.get("list_distributions", "", list[ListedDistribution]) or []


def conclude(evidence: Evidence) -> list[Finding]:
    """Return the findings: on the inventory, on each distribution in its order, then which checks failed."""
    listed = listing(evidence)
    found = list(_on_inventory(listed))
    for name in dict.fromkeys(entry["name"] for entry in listed):
        found += _on_requirements(evidence, name)
        found += _on_licence(evidence, name)
        found += _on_files(evidence, name)
        found.append(_finding("checked", name, _coverage(evidence, name)))
    return found + list(_on_failures(evidence))


def _on_inventory(listed: list[ListedDistribution]) -> Iterator[Finding]:
    for entry in listed:
        if not entry["readable"]:
            yield _finding("unreadable_metadata", entry["name"], f"{entry['folder']}: {entry['reason']}")
    for name, times in Counter(entry["name"] for entry in listed).items():
        folders = [entry["folder"] for entry in listed if entry["name"] == name] if times > 1 else []
        if folders:
            yield _finding("duplicate", name, f"has {times} metadata folders: {', '.join(folders)}")


def _on_requirements(evidence: Evidence, name: str) -> Iterator[Finding]:
    check = evidence.get("check_requirements", name, RequirementCheck)
    if check is None:
        return
    for problem in check["conflicting"]:
        yield _finding("conflicting_requirement", name, _problem(problem) + _others(evidence, name, problem["name"]))
    for problem in check["unmet"]:
        yield _finding("unmet_requirement", name, _problem(problem) + _others(evidence, name, problem["name"]))
    for problem in check["undecided"]:
        yield _finding("undecided_requirement", name, _problem(problem))
    for problem in check["invalid"]:
        yield _finding("invalid_requirement", name, _problem(problem))
    if check["left_out"]:
        yield _finding("undecided_requirement", name, f"{check['left_out']} more problems that the check did not name")


def _problem(problem: RequirementProblem) -> str:
    return f"requires {problem['requirement']}: {problem['reason']}"


def _others(evidence: Evidence, asker: str, required: str) -> str:
    """Say who else requires the same distribution, which tells whether another version would do for all."""
    check = evidence.get("who_requires", required, DependentCheck)
    others = [] if check is None else [one for one in check["required_by"] if one["distribution"] != asker]
    if check is None or not others:
        return ""
    more = len(others) - 3 + check["left_out"]
    named = [
        f"{one['distribution']} ({one['requirement']}, {'satisfied' if one['satisfied'] else 'not satisfied'})"
        for one in others[:3]
    ]
    return f"; also required by {', '.join(named)}" + (f" and {more} more" if more > 0 else "")


def _on_licence(evidence: Evidence, name: str) -> Iterator[Finding]:
    check = evidence.get("check_licence", name, LicenceCheck)
    if check is not None and check["verdict"] in LICENCE_KINDS:
        yield _finding(LICENCE_KINDS[check["verdict"]], name, check["reason"])


def _on_files(evidence: Evidence, name: str) -> Iterator[Finding]:
    check = evidence.get("check_files", name, FileCheck)
    if check is None:
        return
    if check["record"] != "ok":
        yield _finding("unreadable_files", name, check["reason"])
    for item in check["items"]:
        yield _finding(FILE_KINDS[item["kind"]], name, f"{item['path']}: {item['reason']}")
    named = Counter(item["kind"] for item in check["items"])
    for state, kind in FILE_KINDS.items():
        if check[state] > named[state]:
            yield _finding(kind, name, f"{check[state] - named[state]} more that the check did not name ({state})")


def _coverage(evidence: Evidence, name: str) -> str:
    requirements = evidence.get("check_requirements", name, RequirementCheck)
    licence = evidence.get("check_licence", name, LicenceCheck)
    files = evidence.get("check_files", name, FileCheck)
    parts = [
        f"requirements checked: {requirements['checked']}" if requirements else "requirements not checked",
        f"licence: {licence['verdict']}" if licence else "licence not checked",
        f"files verified: {files['verified']} of {files['rows'] - files['unhashed']}" if files else "files not checked",
    ]
    return ", ".join(parts)


def _on_failures(evidence: Evidence) -> Iterator[Finding]:
    for tool, subject in evidence.answered():
        if tool not in SHAPES:
            continue
        reason = evidence.error(tool, subject)
        if not reason and evidence.get(tool, subject, SHAPES[tool]) is None:
            reason = "gave a result that cannot be understood"
        if reason:
            yield _finding("failed_check", subject, f"{tool}: {clip(reason)}")


def _finding(kind: Kind, distribution: str, detail: str) -> Finding:
    return {"kind": kind, "distribution": distribution, "detail": detail}
