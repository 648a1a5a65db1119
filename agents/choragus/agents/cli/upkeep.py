"""The words of the commands that look after a file: what is parked, whether it is whole, copies, and its size."""

from __future__ import annotations

from argparse import ArgumentTypeError

from .backing import back_up
from .command import Commands, command
from .compaction import compact
from .parking import requeue, show_parked
from .retention import prune
from .verification import verify


def add_parking(commands: Commands) -> None:
    """`parked`, `requeue` and `verify`."""
    command(
        commands,
        "parked",
        show_parked,
        "list the messages that could not be handled",
        "A message that its receiver fails on again and again is parked, so that it blocks nothing. Mend\n"
        "the cause, then requeue it.",
        "choragus parked runs.db",
    )
    one = command(
        commands,
        "requeue",
        requeue,
        "put a parked message back",
        "Put a parked message at the end of its mailbox, as if it had just been sent.",
        "choragus requeue runs.db 3fa9c1d2\n  choragus requeue runs.db choragus.memory/5f2c9a1b7d3e "
        "'choragus.orchestrator/5f2c9a1b7d3e#4'",
    )
    one.add_argument("parked", metavar="ID", help="as in `choragus parked`, or its beginning; or the receiver")
    one.add_argument("message", metavar="MESSAGE", nargs="?", help="with a receiver: the message's id")
    one = command(
        commands,
        "verify",
        verify,
        "check that the file is what was written",
        "Check every digest, every hash chain and the database itself. Prints one problem to a line and\n"
        "exits with 1 when there are any.",
        "choragus verify runs.db",
    )
    one.add_argument("--pruned", action="store_true", help="also list what was pruned, and when")


def add_keeping(commands: Commands) -> None:
    """`backup`, `prune` and `compact`."""
    one = command(
        commands,
        "backup",
        back_up,
        "copy the file while it is in use",
        "Copy the file as of one moment, also while a process owns it. The copy appears under its name when\n"
        "it is complete and on disk, and opens by itself; what exists is not overwritten.",
        "choragus backup runs.db runs-2026-11-22.db",
    )
    one.add_argument("target", metavar="TARGET", help="the copy's name; nothing of that name may exist")
    one = command(
        commands,
        "prune",
        prune,
        "take away runs that ended long ago",
        "Take away what is left of runs that ended long ago: logbook, conversation, states, kept replies.\n"
        "A tombstone stays for each, which `choragus verify` accepts and reports, and the key of the run\n"
        "stays taken. Runs that go on or wait for a person are kept. The owner goes on beside it.",
        "choragus prune runs.db --older-than 30d --dry-run",
    )
    age = "how long a run is kept after its end: a number with s, m, h, d or w, such as 30d"
    one.add_argument("--older-than", metavar="AGE", type=_age, required=True, help=age)
    one.add_argument("--dry-run", action="store_true", help="only say what would go")
    command(
        commands,
        "compact",
        compact,
        "give the room of pruned runs back",
        "Write the file anew without the room that pruning has left in it. Nobody may own the file, and\n"
        "the disk needs as much room again while it works.",
        "choragus compact runs.db",
    )


def _age(text: str) -> float:
    """Seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
    if not text[:-1].isdecimal() or text[-1:] not in units:
        raise ArgumentTypeError(f"{text!r} is no age: give a number with s, m, h, d or w, such as 30d")
    return int(text[:-1]) * units[text[-1]]
