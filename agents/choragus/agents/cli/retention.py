"""`choragus prune`: take away what ended long ago."""

from __future__ import annotations

import time

import attrs

from choragus.agents.retention import KeptRun, prune_runs

from .age import age
from .command import Commands, add_json, command
from .exit import Exit
from .session import Session
from .text import counted, moment


def declare(commands: Commands) -> None:
    """`prune`."""
    one = command(
        commands,
        "prune",
        prune,
        "Take away what is left of runs that ended long ago: logbook, conversation, states, kept replies.\n"
        "A tombstone stays for each, which `choragus verify` accepts and reports, and the key of the run\n"
        "stays taken. Runs that go on or wait for a person are kept. The owner goes on beside it.",
        "choragus prune runs.db --older-than 30d --dry-run",
    )
    how = "how long a run is kept after its end: a number with s, m, h, d or w, such as 30d"
    one.add_argument("--older-than", metavar="AGE", type=age, required=True, help=how)
    one.add_argument("--dry-run", action="store_true", help="only say what would go")
    add_json(one, "what has gone, and what is kept, as JSON")


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
    more = {"runs": list(sweep.runs), "entries": sweep.entries, "kept": [attrs.asdict(one) for one in sweep.kept]}
    session.result("would prune" if dry else "pruned", said, **more)
    session.say(*map(_kept, sweep.kept))
    if sweep.entries and not dry:
        session.say(f"the file keeps its size until `{session.command('compact')}`")
    return Exit.OK


def _kept(kept: KeptRun) -> str:
    return f"kept run {kept.run}: {kept.reason}" if kept.run else f"kept the system's entries: {kept.reason}"
