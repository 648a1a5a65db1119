"""The audit without any runtime: the same checks as plain functions, one after the other, and the same report filed.

    python benchmarks/plain_audit.py SITE_PACKAGES OUT

Prints the seconds of the work itself and how many checks were made.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from time import perf_counter

import msgspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))

from choragus.agents.model import ChatMessage
from environment_audit import checks, filing
from environment_audit.conclusion import conclude
from environment_audit.evidence import Evidence


def audit(root: Path, out: Path) -> int:
    """Check every distribution, write the report and file it; gives back the number of calls."""
    results: dict[tuple[str, str], ChatMessage] = {}

    def keep(tool: str, subject: str, value: object) -> None:
        results[tool, subject] = ChatMessage("tool", msgspec.json.encode(value).decode(), name=tool)

    listed = checks.list_distributions(root)
    keep("list_distributions", "", listed)
    for entry in listed:
        name = entry["name"]
        if entry["readable"]:
            required = checks.check_requirements(root, name)
            keep("check_requirements", name, required)
            keep("check_licence", name, checks.check_licence(root, name))
            for problem in [*required["conflicting"], *required["unmet"]]:
                keep("who_requires", problem["name"], checks.who_requires(root, problem["name"]))
        keep("check_files", name, checks.check_files(root, name))
    written = filing.write(out, conclude(Evidence(results=results, calls=Counter())))
    filing.file(out, written["report"], written["sha256"])
    return len(results) + 2


if __name__ == "__main__":
    begin = perf_counter()
    calls = audit(Path(sys.argv[1]), Path(sys.argv[2]))
    print(perf_counter() - begin, calls)
