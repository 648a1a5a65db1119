"""The words of the command line: every command, its arguments, and an example of each."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version
from typing import TypeAlias

from .accounting import show_ledgers
from .approval import answer, decide, show_approvals
from .backing import back_up
from .compaction import compact
from .exit import Exit
from .forking import fork
from .listing import show_runs
from .logbook import show
from .parking import requeue, show_parked
from .pausing import pause, resume
from .retention import prune
from .rule import show_rules
from .session import Session
from .settlement import cancel, settle
from .verification import verify

Command: TypeAlias = Callable[[Session], Awaitable[Exit]]
Commands: TypeAlias = "_SubParsersAction[ArgumentParser]"

DESCRIPTION = """\
Look into a file of agent runs, and decide what waits for a person.

Every command but compact works beside the process that owns the file, and also when none does. It
reads, or copies, or prunes what has ended; or it leaves one message for the owner and says what
became of it. It never runs an agent itself."""

EPILOG = """\
an example:
  choragus runs runs.db                               what runs are there
  choragus show runs.db 5f2c                          what did this one do
  choragus approvals runs.db                          what waits for me
  choragus approve runs.db 7f3a --by mia              let it happen
  choragus approve runs.db 7f3a --set amount=120.00   let it happen with another amount

exit codes:
  0    done
  1    problems found in the file, or a message could not be handled
  2    bad usage, or no such run, approval, call or message waits; nothing was changed
  3    the file is missing, no choragus database, too new, damaged, or in use; nothing was changed
  130  interrupted by Ctrl-C; 141 when nobody reads the output any more

`choragus COMMAND --help` explains a command and gives an example."""

RUN = "the run's id, or the beginning of it when no other run begins so"


def parser() -> ArgumentParser:
    """The parser; it puts the command's function into `command`."""
    top = ArgumentParser(
        prog="choragus",
        usage="choragus [-h] [--version] COMMAND FILE ...",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"choragus {_version()}")
    commands = top.add_subparsers(prog="choragus", title="commands", metavar="COMMAND FILE", required=True)
    _add_reading(commands)
    _add_deciding(commands)
    _add_mending(commands)
    _add_keeping(commands)
    return top


def _add_reading(commands: Commands) -> None:
    _command(
        commands,
        "runs",
        show_runs,
        "list the runs of a file",
        "One line for each run: its state, what it used, since when; and what it waits for.",
        "choragus runs runs.db",
    )
    one = _command(
        commands,
        "show",
        show,
        "show what a run did",
        "The run's timeline: model calls with tokens, cost and time; tool calls with arguments, verdict,\n"
        "who decided, and result; failures, restarts, reopened files; the outcome. Long texts are cut;\n"
        "--json prints everything, one logbook entry to a line.",
        "choragus show runs.db 5f2c --follow\n  choragus show runs.db 5f2c --json | jq .kind",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("--json", action="store_true", help="the raw entries, as JSON lines")
    one.add_argument("-f", "--follow", action="store_true", help="go on printing until the run ends")

    _command(
        commands,
        "ledgers",
        show_ledgers,
        "list what is spent in the ledgers",
        "One line for each ledger and day or month in UTC: what its runs have spent, what is set aside for\n"
        "calls that are under way, the limit, and how many claims wait for room.",
        "choragus ledgers runs.db",
    )


def _add_deciding(commands: Commands) -> None:
    listed = _command(
        commands,
        "approvals",
        show_approvals,
        "list what waits for a person",
        "Each call, text or question that waits for a person, and each call whose outcome is unknown since\n"
        "its process died, with what it takes to decide and the commands that do. Arguments are JSON, one\n"
        "to a line behind `|`; a line behind `:` continues the one above. What cannot be seen plainly, such\n"
        "as control characters and marks that turn text around, is shown as an escape. Nothing is cut.",
        "choragus approvals runs.db",
    )
    listed.add_argument("--json", action="store_true", help="the same as JSON, one to a line")
    for name, approved, then in (
        ("approve", True, "the call runs with exactly these arguments"),
        ("deny", False, "the call does not run; the model reads the reason and goes on"),
    ):
        one = _command(
            commands,
            name,
            decide,
            f"{name} a call that waits",
            f"Decide about one call: {then}.\nThe decision is bound to the hash of the arguments, which are printed.",
            f"choragus {name} runs.db 7f3a --by mia --reason 'as agreed on Monday'"
            + ("\n  choragus approve runs.db 7f3a --set amount=120.00 --always 5" if approved else ""),
        )
        one.set_defaults(approved=approved)
        _add_approval(one)
        _add_reason(one)
        if approved:
            change = "run it with another value: JSON, or plain text where text was; may be repeated"
            one.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=change)
            again = "also let the next N calls with exactly these arguments run without a question"
            one.add_argument("--always", metavar="N", type=int, help=again)
    one = _command(
        commands,
        "answer",
        answer,
        "answer a question of the model's",
        "Answer a question: with one of its options, or freely when it has none. The model reads the text.",
        "choragus answer runs.db 7f3a 'next week' --by mia",
    )
    _add_approval(one)
    one.add_argument("text", metavar="TEXT", help="the answer")


def _add_mending(commands: Commands) -> None:
    one = _command(
        commands,
        "settle",
        settle,
        "say what became of a call of unknown outcome",
        "The process died in the middle of a call that cannot be undone. Nobody guesses: look whether it\n"
        "happened, and say so. `choragus approvals` lists such calls.",
        "choragus settle runs.db 5f2c 2.1 --happened --result '\"receipt 17\"' --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("call", metavar="CALL", help="the call's number in the run, such as 2.1")
    ways = one.add_mutually_exclusive_group(required=True)
    for option, outcome, meaning in (
        ("--happened", "happened", "it happened: it is not run again, and the model is given the result"),
        ("--not", "not", "it did not happen: it is run now"),
        ("--give-up", "give_up", "it cannot be found out: end the run as failed"),
    ):
        ways.add_argument(option, dest="outcome", action="store_const", const=outcome, help=meaning)
    one.add_argument(
        "--result",
        metavar="TEXT",
        help="with --happened: what the call gave back, as JSON or text; else just that it is done",
    )
    _add_person(one)
    one = _command(
        commands,
        "cancel",
        cancel,
        "end a run",
        "End a run as cancelled, also while a call is in flight.",
        "choragus cancel runs.db 5f2c --by mia --reason 'wrong week'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    _add_person(one)
    _add_reason(one)
    _add_pausing(commands)
    _add_rules(commands)
    _add_forking(commands)
    _add_parking(commands)


def _add_pausing(commands: Commands) -> None:
    one = _command(
        commands,
        "pause",
        pause,
        "hold a run",
        "Start nothing new in a run and its sub-runs: what is in flight ends and is recorded, and a call\n"
        "that is approved meanwhile runs when the run goes on. It stays paused over restarts.",
        "choragus pause runs.db 5f2c --by mia --reason 'odd orders'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    _add_person(one)
    _add_reason(one)
    one = _command(
        commands,
        "resume",
        resume,
        "go on with a run that is paused",
        "Go on with a run, and its sub-runs, that somebody has paused.",
        "choragus resume runs.db 5f2c --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    _add_person(one)


def _add_forking(commands: Commands) -> None:
    one = _command(
        commands,
        "fork",
        fork,
        "begin a new run from a run's past",
        "Begin a new run with the conversation that another had at one point of its past; that one goes on\n"
        "untouched. Calls that had their results are not made again, what was under way is not run from\n"
        "the fork, and what comes behind is asked for and approved anew. Limits count from nothing on. The\n"
        "process that owns the file begins it, or the next one that opens it with the run's agent.",
        "choragus fork runs.db 5f2c --at 17 --key 5f2c-again",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    where = "a position, as `choragus show` prints it in the column AT; by default the last one before the run's end"
    one.add_argument("--at", metavar="N", type=int, help=where)
    one.add_argument("--key", metavar="KEY", default="", help="the new run's key: the same again begins nothing")
    one.add_argument("--by", metavar="NAME", help="who forks; the login name by default")


def _add_parking(commands: Commands) -> None:
    _command(
        commands,
        "parked",
        show_parked,
        "list the messages that could not be handled",
        "A message that its receiver fails on again and again is parked, so that it blocks nothing. Mend\n"
        "the cause, then requeue it.",
        "choragus parked runs.db",
    )
    one = _command(
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
    one = _command(
        commands,
        "verify",
        verify,
        "check that the file is what was written",
        "Check every digest, every hash chain and the database itself. Prints one problem to a line and\n"
        "exits with 1 when there are any.",
        "choragus verify runs.db",
    )
    one.add_argument("--pruned", action="store_true", help="also list what was pruned, and when")


def _add_keeping(commands: Commands) -> None:
    one = _command(
        commands,
        "backup",
        back_up,
        "copy the file while it is in use",
        "Copy the file as of one moment, also while a process owns it. The copy appears under its name when\n"
        "it is complete and on disk, and opens by itself; what exists is not overwritten.",
        "choragus backup runs.db runs-2026-11-22.db",
    )
    one.add_argument("target", metavar="TARGET", help="the copy's name; nothing of that name may exist")
    one = _command(
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
    _command(
        commands,
        "compact",
        compact,
        "give the room of pruned runs back",
        "Write the file anew without the room that pruning has left in it. Nobody may own the file, and\n"
        "the disk needs as much room again while it works.",
        "choragus compact runs.db",
    )


def _command(
    commands: Commands, name: str, command: Command, summary: str, description: str, example: str
) -> ArgumentParser:
    made = commands.add_parser(
        name,
        help=summary,
        description=description,
        epilog=f"an example:\n  {example}",
        formatter_class=RawDescriptionHelpFormatter,
    )
    made.set_defaults(command=command)
    made.add_argument("file", metavar="FILE", help="the database that a Runtime was opened with")
    return made


def _add_rules(commands: Commands) -> None:
    one = _command(
        commands,
        "rules",
        show_rules,
        "list the standing rules, or take one back",
        "Each rule by which calls with exactly these arguments run without a question: whose it is, until\n"
        "when, how often still. `choragus approve --always N` makes one.",
        "choragus rules runs.db\n  choragus rules runs.db --revoke 7f3a --by mia",
    )
    one.add_argument("--revoke", metavar="ID", help="take this rule back")
    _add_person(one)


def _add_approval(one: ArgumentParser) -> None:
    one.add_argument("approval", metavar="ID", help="as in `choragus approvals`, or the beginning of it")
    one.add_argument("--seen", metavar="HASH", help="as listed; refuse when the arguments are others by now")
    _add_person(one)


def _add_person(one: ArgumentParser) -> None:
    one.add_argument("--by", metavar="NAME", help="who decides; the login name by default")


def _add_reason(one: ArgumentParser) -> None:
    one.add_argument("--reason", metavar="TEXT", default="", help="why; it stands in the logbook")


def _age(text: str) -> float:
    """Seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
    if not text[:-1].isdecimal() or text[-1:] not in units:
        raise ArgumentTypeError(f"{text!r} is no age: give a number with s, m, h, d or w, such as 30d")
    return int(text[:-1]) * units[text[-1]]


def _version() -> str:
    try:
        return version("choragus")
    except PackageNotFoundError:
        return "of an unknown version: it runs from a source tree that is not installed"
