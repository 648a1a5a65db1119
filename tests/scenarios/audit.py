"""The audit example as a scenario: its agent and tools as they are, and a person who approves and looks things up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from audit_environment import auditor
from choragus.actors.event import Events
from choragus.agents import Runtime
from choragus.supervision.testing.ledger import Ledger
from environment_audit import filing
from environment_audit.report import Finding

WRITE, FILE = filing.write, filing.file


async def audit(
    path: Path,
    ledger: Ledger,
    *,
    tree: Path,
    told: Callable[[Events, Path], None] | None = None,
    asked: Callable[[Path, str], None] | None = None,
) -> dict[str, object]:
    """One audit of `tree`, whose report and archive stand beside the file.

    Args:
        told: is given the events of the runtime first, to listen to them.
        asked: is given the call whose outcome a person has to look up.
    """
    out = path.parent
    _fit(ledger)
    agent = auditor(tree, out)
    async with Runtime(path, agents=[agent]) as runtime:
        if told is not None:
            told(runtime.events, path)
        run = await runtime.start(agent, "Audit it and file the report.", key="audit")
        async for _ in run.events():
            for approval in await run.pending():
                await run.approve(approval, by="reviewer")
            for unknown in await run.unknown():
                if asked is not None:
                    asked(path, unknown.call)
                filed = sorted((out / filing.ARCHIVE).glob("*.md"))
                result = f'{{"filed": "{filing.ARCHIVE}/{filed[0].name}"}}' if filed else ""
                await run.settle(unknown.call, "happened" if filed else "not", by="reviewer", result=result)
        status = (await run.status()).status.value
    archive = {one.name: one.read_text(encoding="utf-8") for one in (out / filing.ARCHIVE).glob("*.md")}
    return {"status": status, "report": (out / filing.REPORT).read_text(encoding="utf-8"), "archive": archive}


def _fit(ledger: Ledger) -> None:
    """Note what the two tools that change something do; for a process of its own: nothing is put back."""

    def write(out: Path, findings: Sequence[Finding]) -> filing.Written:
        written = WRITE(out, findings)
        ledger.note("the report", key=written["sha256"])
        return written

    def file(out: Path, report: str, sha256: str) -> filing.Filed:
        filed = FILE(out, report, sha256)
        ledger.note(filed["filed"])
        return filed

    setattr(filing, "write", write)  # noqa: B010  # a function is no assignable name to mypy
    setattr(filing, "file", file)  # noqa: B010
