"""The words of the command line: every command, its arguments, and an example of each."""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from importlib.metadata import PackageNotFoundError, version

from .acceptance import accept
from .accounting import show_ledgers
from .approval import answer, decide, show_approvals
from .command import RUN, Commands, add_person, add_reason, command, filled
from .explaining import show_context
from .forking import fork
from .knowledge import add_knowledge
from .listing import show_runs
from .logbook import show
from .pausing import pause, resume
from .rule import show_rules
from .settlement import cancel, settle
from .speaking import send, thread
from .unwinding import unwind
from .upkeep import add_keeping, add_parking

DESCRIPTION = """\
Look into a file of agent runs, and decide what waits for a person.

Every command but compact works beside the process that owns the file, and also when none does. It
reads, or copies, or prunes what has ended; or it leaves one message for the owner and says what
became of it. It never runs an agent itself."""

EPILOG = """\
an example:
  choragus runs runs.db                              what runs are there
  choragus show runs.db 5f2c                         what did this one do
  choragus approvals runs.db                         what waits for me
  choragus approve runs.db 7f3a --by mia             let it happen
  choragus approve runs.db 7f3a --set amount=120.00  with another amount

exit codes:
  0    done
  1    problems found in the file, or a message could not be handled
  2    bad usage, or no such run, approval, call or message waits;
       nothing was changed
  3    the file is missing, no choragus database, too new, damaged, or in use;
       nothing was changed
  130  interrupted by Ctrl-C; 141 when nobody reads the output any more

`choragus COMMAND --help` explains a command and gives an example."""


def parser() -> ArgumentParser:
    """The parser; it puts the command's function into `command`."""
    top = ArgumentParser(
        prog="choragus",
        usage="choragus [-h] [--version] COMMAND FILE ...",
        description=filled(DESCRIPTION),
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"choragus {_version()}")
    commands = top.add_subparsers(prog="choragus", title="commands", metavar="COMMAND FILE", required=True)
    _add_reading(commands)
    _add_deciding(commands)
    _add_mending(commands)
    add_keeping(commands)
    add_knowledge(commands)
    return top


def _add_reading(commands: Commands) -> None:
    command(
        commands,
        "runs",
        show_runs,
        "list the runs of a file",
        "One line for each run: its state, what it used, since when; and what it waits for.",
        "choragus runs runs.db",
    )
    one = command(
        commands,
        "show",
        show,
        "show what a run did",
        "The run's timeline: model calls with tokens, cost and time; tool calls with arguments, verdict,\n"
        "who decided, and result; failures, restarts, reopened files; the outcome. A run that follows a plan\n"
        "begins with it: each step, its state, and what went wrong. Long texts are cut; --json prints\n"
        "everything, one logbook entry to a line, and a plan behind them.",
        "choragus show runs.db 5f2c --follow\n  choragus show runs.db 5f2c --json | jq .kind",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("--json", action="store_true", help="the raw entries, as JSON lines")
    one.add_argument("-f", "--follow", action="store_true", help="go on printing until the run ends")

    one = command(
        commands,
        "explain",
        show_context,
        "show what the model was given in a step, and why",
        "Each piece of a model call in its order, with its tokens and the reason why it was there: kept, pinned,\n"
        "shortened, summarised, retrieved with its score; and what of the conversation was left out. Texts\n"
        "are cut to a line; --json prints all of it.",
        "choragus explain runs.db 5f2c 17",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("step", metavar="STEP", type=int, nargs="?", help="by default the latest")
    one.add_argument("--json", action="store_true", help="all of it as JSON")
    command(
        commands,
        "ledgers",
        show_ledgers,
        "list what is spent in the ledgers",
        "One line for each ledger and day or month in UTC: what its runs have spent, what is set aside for\n"
        "calls that are under way, the limit, and how many claims wait for room.",
        "choragus ledgers runs.db",
    )


def _add_deciding(commands: Commands) -> None:
    listed = command(
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
        one = command(
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
        add_reason(one)
        if approved:
            change = "run it with another value: JSON, or plain text where text was; may be repeated"
            one.add_argument("--set", metavar="NAME=VALUE", action="append", default=[], help=change)
            again = "also let the next N calls with exactly these arguments run without a question"
            one.add_argument("--always", metavar="N", type=int, help=again)
    one = command(
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
    one = command(
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
    add_person(one)
    one = command(
        commands,
        "cancel",
        cancel,
        "end a run",
        "End a run as cancelled, also while a call is in flight.",
        "choragus cancel runs.db 5f2c --by mia --reason 'wrong week'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    add_reason(one)
    one = command(
        commands,
        "unwind",
        unwind,
        "take back what a run has done",
        "Take back what the calls of a run have done that ended without a result, the last first: each call\n"
        "whose tool says how. The process that owns the file does it, or the next one that opens it.",
        "choragus unwind runs.db 5f2c --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    _add_speaking(commands)
    _add_pausing(commands)
    _add_rules(commands)
    _add_servers(commands)
    _add_forking(commands)
    add_parking(commands)


def _add_speaking(commands: Commands) -> None:
    one = command(
        commands,
        "send",
        send,
        "say something to a run",
        "A run that goes on reads the text with its next step. When it has ended, the next run of its\n"
        "conversation begins with it. Policies look at the text as at a goal.",
        "choragus send runs.db 5f2c 'And the other invoice?' --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("text", metavar="TEXT", help="what to say")
    one.add_argument("--key", metavar="KEY", default="", help="the same again says nothing twice")
    add_person(one)
    one = command(
        commands,
        "thread",
        thread,
        "show what was said in a conversation",
        "All lines of a conversation over its runs, in order. Foreign text stands behind a margin. Without a\n"
        "name, list the conversations of the file.",
        "choragus thread runs.db alice\n  choragus thread runs.db 5f2c",
    )
    one.add_argument("name", metavar="NAME", nargs="?", default="", help="its name, or the id of one of its runs")


def _add_pausing(commands: Commands) -> None:
    one = command(
        commands,
        "pause",
        pause,
        "hold a run",
        "Start nothing new in a run and its sub-runs: what is in flight ends and is recorded, and a call\n"
        "that is approved meanwhile runs when the run goes on. It stays paused over restarts.",
        "choragus pause runs.db 5f2c --by mia --reason 'odd orders'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    add_reason(one)
    one = command(
        commands,
        "resume",
        resume,
        "go on with a run that is paused",
        "Go on with a run, and its sub-runs, that somebody has paused.",
        "choragus resume runs.db 5f2c --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)


def _add_forking(commands: Commands) -> None:
    one = command(
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


def _add_rules(commands: Commands) -> None:
    one = command(
        commands,
        "rules",
        show_rules,
        "list the standing rules, or take one back",
        "Each rule by which calls with exactly these arguments run without a question: whose it is, until\n"
        "when, how often still. `choragus approve --always N` makes one.",
        "choragus rules runs.db\n  choragus rules runs.db --revoke 7f3a --by mia",
    )
    one.add_argument("--revoke", metavar="ID", help="take this rule back")
    add_person(one)


def _add_servers(commands: Commands) -> None:
    one = command(
        commands,
        "accept",
        accept,
        "accept the tools of an MCP server",
        "Tools of a server that are new, or not what was accepted, are refused until somebody accepts them.\n"
        "Without --by, show for each server what waits, line by line: `-` as it was accepted, `+` as it is\n"
        "offered. With --by, accept: one tool by its name, or all that the server offers. What is accepted\n"
        "is what is printed: --seen refuses when the server offers something else by then.",
        "choragus accept runs.db\n  choragus accept runs.db git git_diff --by mia",
    )
    one.add_argument("server", metavar="SERVER", nargs="?", default="", help="the server's name; by default all")
    one.add_argument("tool", metavar="TOOL", nargs="?", default="", help="the server's own name for it; by default all")
    one.add_argument("--seen", metavar="MARK", default="", help="as shown; refuse when it is another by now")
    one.add_argument("--by", metavar="NAME", help="who accepts; without it nothing is accepted")


def _add_approval(one: ArgumentParser) -> None:
    one.add_argument("approval", metavar="ID", help="as in `choragus approvals`, or the beginning of it")
    one.add_argument("--seen", metavar="HASH", help="as listed; refuse when the arguments are others by now")
    add_person(one)


def _version() -> str:
    try:
        return version("choragus")
    except PackageNotFoundError:
        return "of an unknown version: it runs from a source tree that is not installed"
