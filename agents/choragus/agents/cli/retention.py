"""`choragus prune`: take away what ended long ago."""

from __future__ import annotations

import time

from choragus.agents.retention import KeptRun, prune_runs

from .exit import Exit
from .session import Session
from .text import counted, moment, visible


async def prune(session: Session) -> Exit:
    """Prune, or say what would go, and what is kept and why."""
    dry: bool = session.asked.dry_run
    sweep = await prune_runs(session.store, older_than=session.asked.older_than, now=time.time(), dry_run=dry)
    runs, entries = counted(len(sweep.runs), "run"), counted(sweep.entries, "entry", "entries")
    if dry:
        said = f"would prune {runs} that ended before {moment(sweep.before)}: {entries}"
    else:
        said = f"pruned {runs} that ended before {moment(sweep.before)}: {entries}, {counted(sweep.states, 'state')}, "
        said += counted(sweep.records, "finished record")
    print(visible(said))
    for kept in sweep.kept:
        print(visible(_kept(kept)))
    if sweep.entries and not dry:
        print(f"the file keeps its size until `{session.command('compact')}`")
    return Exit.OK


def _kept(kept: KeptRun) -> str:
    return f"kept run {kept.run}: {kept.reason}" if kept.run else f"kept the system's entries: {kept.reason}"
