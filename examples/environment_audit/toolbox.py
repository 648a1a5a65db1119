"""The audit's tools: the checks bound to one environment, and the report bound to one output folder."""

from __future__ import annotations

from pathlib import Path

from choragus.agents.tool import Tool, tool

from . import checks, filing
from .inventory import ListedDistribution
from .licence import LicenceCheck
from .record import FileCheck
from .report import Finding
from .requirement import DependentCheck, RequirementCheck


def toolbox(root: Path, out: Path) -> list[Tool]:
    """Return the tools that audit the site-packages folder `root` and leave their report in `out`.

    Raises:
        ValueError: when `root` is no folder.
    """
    if not root.is_dir():
        raise ValueError(f"{str(root)!r} is no folder; give the site-packages folder of a Python environment")
    return [*_inventory_tools(root), *_check_tools(root), *_filing_tools(out)]


def _inventory_tools(root: Path) -> list[Tool]:
    @tool(risk="read")
    def list_distributions() -> list[ListedDistribution]:
        """List the distributions that are installed: name, version, metadata folder, and whether the metadata can be
        read; `reason` says why not. A name that stands twice has two metadata folders."""
        return checks.list_distributions(root)

    @tool(risk="read")
    def who_requires(distribution: str) -> DependentCheck:
        """Name the installed distributions that require the given one, each with its requirement and whether the
        installed version satisfies it. The given one need not be installed."""
        return checks.who_requires(root, distribution)

    return [list_distributions, who_requires]


def _check_tools(root: Path) -> list[Tool]:
    @tool(risk="read")
    def check_requirements(distribution: str) -> RequirementCheck:
        """Compare a distribution's requirements with what is installed: unmet, conflicting, undecided (the required
        one's metadata cannot be read) and invalid ones are named. Needs readable metadata."""
        return checks.check_requirements(root, distribution)

    @tool(risk="read")
    def check_licence(distribution: str) -> LicenceCheck:
        """Judge a distribution's licence: what it declares, which licence files are there, and a verdict of ok,
        missing or unusual with its reason. Needs readable metadata."""
        return checks.check_licence(root, distribution)

    @tool(risk="read", timeout=120)
    def check_files(distribution: str) -> FileCheck:
        """Compare a distribution's files with its RECORD: counts of verified, absent, changed, malformed and outside
        rows, and up to 20 of those in disorder by name."""
        return checks.check_files(root, distribution)

    return [check_requirements, check_licence, check_files]


def _filing_tools(out: Path) -> list[Tool]:
    @tool(risk="reversible", idempotent=True)
    def write_report(findings: list[Finding]) -> filing.Written:
        """Write the audit report from all findings, replacing an earlier one. Give one finding of the kind "checked"
        for each distribution that was looked at. Returns the report's name and SHA-256, which file_report needs."""
        return filing.write(out, findings)

    @tool(risk="irreversible")
    def file_report(report: str, sha256: str) -> filing.Filed:
        """File the report in the archive for good. Give the name and SHA-256 as write_report returned them; a report
        that changed since is refused, and so is one that is already filed."""
        return filing.file(out, report, sha256)

    return [write_report, file_report]
