"""`choragus eval`: the words of it; what it does is imported when it is run."""

from __future__ import annotations

from .catalogue import COMMANDS
from .command import Commands, Form, filled


def declare(commands: Commands) -> None:
    """`eval`."""
    one = commands.add_parser(
        "eval",
        help=COMMANDS["eval"].summary,
        description=filled(
            "Each case is tried several times, as an ordinary run of the agent. FILE is where these runs live;\n"
            "by default where the runtime's own do, and a service that has that open must be closed first. When it is\n"
            "interrupted the same command goes on: nothing that has ended is run again.\n\n"
            "The exit code is 0 when nothing is wrong, and 1 for a regression against the baseline, a pass rate\n"
            "below --at-least, or trials that were not run or could not be judged."
        ),
        epilog=(
            "an example:\n"
            "  choragus eval runs.db --app myservice:runtime --cases cases.jsonl --save-baseline base.json\n"
            "  choragus eval runs.db --app myservice:runtime --cases cases.jsonl --baseline base.json"
        ),
        formatter_class=Form,
    )
    one.add_argument("file", metavar="FILE", nargs="?", default="", help="the database for the runs; made if missing")
    one.add_argument(
        "--app", metavar="MODULE:NAME", required=True, help="a Runtime, an Agent, or a function that gives one of them"
    )
    one.add_argument("--cases", metavar="CASES", required=True, help="a .jsonl, .yaml or .json file")
    one.add_argument("--agent", metavar="NAME", default="", help="which of the runtime's agents, if it has several")
    one.add_argument(
        "--scorers", metavar="MODULE:NAME", default="", help="a list of scorers; by default the answer is to be exact"
    )
    one.add_argument("--repeats", metavar="K", type=int, default=3, help="how often each case is tried (3)")
    one.add_argument("--at-once", metavar="N", type=int, default=8, help="how many runs go on at a time (8)")
    one.add_argument("--cost-usd", metavar="D", type=float, help="dollars for all runs and judges together")
    one.add_argument("--seconds", metavar="S", type=float, help="no trial begins later than this after the first")
    one.add_argument(
        "--people",
        metavar="WHAT",
        choices=("cancel", "deny", "approve"),
        default="cancel",
        help="what happens where a run asks a person: cancel, deny or approve (cancel)",
    )
    one.add_argument("--key", metavar="KEY", default="", help="the same key gives an ended evaluation back")
    one.add_argument("--at-least", metavar="SHARE", type=float, help="the share of trials that is to pass, 0 to 1")
    one.add_argument("--baseline", metavar="B", default="", help="hold it against this; 1 for a regression")
    one.add_argument("--save-baseline", metavar="B", default="", help="write it down to hold later ones against")
    one.add_argument("--tolerance", metavar="SHARE", type=float, default=0.0, help="by how much the rate may fall (0)")
    one.add_argument("--case-level", metavar="P", type=float, default=0.05, help="how unlikely a case's fall is (0.05)")
    one.add_argument("--any-worse", action="store_true", help="any case that passes less often is a regression")
    one.add_argument("--dearer", metavar="SHARE", type=float, help="by how much a run may cost more, such as 0.1")
    one.add_argument("--inspect", metavar="DIR", default="", help="also write a log that `inspect view` opens")
    one.add_argument("--json", action="store_true", help="the report as JSON")
    one.set_defaults(reads=False, owns="evaluated")
