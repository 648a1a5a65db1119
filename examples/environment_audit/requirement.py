"""Whether what a distribution requires is there, and who requires it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Literal, TypedDict

import attrs
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from .inventory import MAX_NAMED, Distribution, clip, find_readable, locate, read, scan

NAME = re.compile(r"[A-Za-z0-9._-]+")

State = Literal["met", "inapplicable", "unmet", "conflicting", "undecided", "invalid"]


class RequirementProblem(TypedDict):
    """A requirement that does not hold: its text, the name required, the version installed ("" for none), and why."""

    requirement: str
    name: str
    installed: str
    reason: str


class RequirementCheck(TypedDict):
    """What became of a distribution's requirements; each list names 20 at most, `left_out` counts the others."""

    distribution: str
    version: str
    checked: int
    inapplicable: int
    extras: list[str]
    unmet: list[RequirementProblem]
    conflicting: list[RequirementProblem]
    undecided: list[RequirementProblem]
    invalid: list[RequirementProblem]
    left_out: int


class Dependent(TypedDict):
    """A distribution that requires another one, and whether a readable installed version satisfies it."""

    distribution: str
    requirement: str
    satisfied: bool


class DependentCheck(TypedDict):
    """Who requires a distribution (`installed` is "" when it is not there); 20 at most are named."""

    distribution: str
    installed: str
    required_by: list[Dependent]
    left_out: int


@attrs.frozen(kw_only=True)
class _Judgement:
    state: State
    problem: RequirementProblem


def check_requirements(root: Path, distribution: str) -> RequirementCheck:
    """Compare what a distribution requires with what is installed in `root`.

    Markers are evaluated for the running interpreter. An extra counts only when another installed distribution asks for
    it in a requirement that applies without extras; extras of extras are not followed. A required distribution whose
    own metadata is unreadable is `undecided`.

    Raises:
        ValueError: when the distribution is not installed, or when its metadata cannot be read.
    """
    subject = find_readable(root, distribution)
    texts = subject.requirements
    extras = _requested_extras(root, subject.name) if any("extra" in text for text in texts) else []
    folders = locate(root)
    judged = [_judge(folders, text, extras) for text in sorted(set(texts))]

    def named(state: State) -> list[RequirementProblem]:
        return [one.problem for one in judged if one.state == state][:MAX_NAMED]

    problems = {state: named(state) for state in ("unmet", "conflicting", "undecided", "invalid")}
    harmless = sum(one.state in ("met", "inapplicable") for one in judged)
    inapplicable = sum(one.state == "inapplicable" for one in judged)
    return {
        "distribution": subject.name,
        "version": subject.version,
        "checked": len(judged) - inapplicable,
        "inapplicable": inapplicable,
        "extras": extras,
        "unmet": problems["unmet"],
        "conflicting": problems["conflicting"],
        "undecided": problems["undecided"],
        "invalid": problems["invalid"],
        "left_out": len(judged) - harmless - sum(map(len, problems.values())),
    }


def who_requires(root: Path, distribution: str) -> DependentCheck:
    """Return which installed distributions require one, which itself need not be installed.

    Requirements under a marker that does not hold without extras are passed over, and so are distributions whose
    metadata cannot be read.

    Raises:
        ValueError: when the name is neither installed nor required.
    """
    name = canonicalize_name(distribution)
    folder = locate(root).get(name)
    installed = read(folder) if folder else None
    asking = _asking(root, name)
    if not asking and installed is None:
        raise ValueError(f"{distribution!r} is neither installed nor required here; list_distributions names what is")
    dependents: list[Dependent] = [
        {
            "distribution": asker.name,
            "requirement": clip(str(requirement)),
            "satisfied": installed is not None and _satisfies(installed, requirement),
        }
        for asker, requirement in asking
    ]
    return {
        "distribution": name,
        "installed": installed.version if installed else "",
        "required_by": dependents[:MAX_NAMED],
        "left_out": max(0, len(dependents) - MAX_NAMED),
    }


def _judge(folders: dict[str, Path], text: str, extras: list[str]) -> _Judgement:
    try:
        requirement = Requirement(text)
        applies = _applies(requirement.marker, extras)
    except ValueError as error:  # of which the errors of packaging are kinds
        return _judgement("invalid", text, reason=clip(str(error)))
    name = canonicalize_name(requirement.name)
    if not applies:
        return _judgement("inapplicable", text, name)
    if name not in folders:
        return _judgement("unmet", text, name, reason="not installed")
    installed = read(folders[name])
    if not installed.is_readable:
        return _judgement("undecided", text, name, installed.version, f"cannot be compared: {installed.reason}")
    if not _satisfies(installed, requirement):
        return _judgement("conflicting", text, name, installed.version, f"{installed.version} is installed")
    return _judgement("met", text, name, installed.version)


def _judgement(state: State, text: str, name: str = "", installed: str = "", reason: str = "") -> _Judgement:
    problem: RequirementProblem = {
        "requirement": clip(text),
        "name": name,
        "installed": installed,
        "reason": reason,
    }
    return _Judgement(state=state, problem=problem)


def _satisfies(installed: Distribution, requirement: Requirement) -> bool:
    # what is installed may be a prerelease: the question is whether it lies in the range, not whether pip would pick it
    return installed.is_readable and requirement.specifier.contains(installed.version, prereleases=True)


def _applies(marker: Marker | None, extras: Iterable[str] = ()) -> bool:
    return marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras))


def _requested_extras(root: Path, name: str) -> list[str]:
    asking = (requirement for asker, requirement in _asking(root, name) if asker.name != name)
    return sorted({canonicalize_name(extra) for requirement in asking for extra in requirement.extras})


def _asking(root: Path, name: str) -> list[tuple[Distribution, Requirement]]:
    found = []
    for asker in scan(root):
        for text in asker.requirements:
            # parsing every requirement of every distribution costs ten times this look at the name in front
            named = NAME.match(text)
            if named is None or canonicalize_name(named.group()) != name:
                continue
            with suppress(ValueError):  # check_requirements of the asker reports what does not parse
                requirement = Requirement(text)
                if _applies(requirement.marker):
                    found.append((asker, requirement))
    return found
