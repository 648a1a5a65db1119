"""`choragus prune`: take away what ended long ago."""

from __future__ import annotations

import time
from argparse import ArgumentTypeError

from choragus.agents.retention import KeptRun, prune_runs

from .command import Commands, command
from .exit import Exit
from .session import Session
from .text import counted, moment, visible


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
    age = "how long a run is kept after its end: a number with s, m, h, d or w, such as 30d"
    one.add_argument("--older-than", metavar="AGE", type=_age, required=True, help=age)
    one.add_argument("--dry-run", action="store_true", help="only say what would go")


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


def _age(text: str) -> float:
    """Seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
    if not text[:-1].isdecimal() or text[-1:] not in units:
        raise ArgumentTypeError(f"{text!r} is no age: give a number with s, m, h, d or w, such as 30d")
    return int(text[:-1]) * units[text[-1]]
