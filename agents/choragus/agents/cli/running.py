"""`choragus run`: declared here; what it does is in `runner.py`, which imports the runtime."""

from __future__ import annotations

from .command import Commands, add_json, owning


def declare(commands: Commands) -> None:
    """`run`."""
    one = owning(
        commands,
        "run",
        "runner:start",
        "Start a run of an agent of your runtime, print what happens (to stderr) as it is committed, and then\n"
        "its answer. When another process owns the file, that one is left the message and runs it. Ctrl-C ends\n"
        "this process, not the run, which goes on when the file is next opened.",
        "choragus run --app myservice:runtime clerk 'Pay what is due.' --key 2026-W47",
    )
    one.add_argument("agent", metavar="AGENT", help="the name of one of the runtime's agents")
    one.add_argument("text", metavar="TEXT", help="the goal")
    one.add_argument("--key", metavar="KEY", default="", help="the same again gives the same run, and starts nothing")
    one.add_argument("--detach", action="store_true", help="start it, print its id, and do not wait for its end")
    add_json(one, "what happens and the answer, as JSON lines")
