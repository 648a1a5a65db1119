"""Every command of the command line: what it is for, and the module that knows how.

Only the module of the command that was typed is imported, so that a look into a file need not wait for the runtime.
"""

from __future__ import annotations

from typing import NamedTuple


class Listed(NamedTuple):
    """One command; `module` is in this package and has a `declare`."""

    summary: str
    module: str


COMMANDS = {
    "runs": Listed("list the runs of a file", "listing"),
    "show": Listed("show what a run did", "logbook"),
    "tail": Listed("follow the logbook as it grows", "tail"),
    "tree": Listed("show a run with its sub-runs and forks", "tree"),
    "top": Listed("watch the runs that are under way", "top"),
    "log": Listed("search the entries of a file", "searching"),
    "diff": Listed("show on what two runs ran, and what differs", "difference"),
    "explain": Listed("show what the model was given in a step, and why", "explaining"),
    "stats": Listed("show the figures of runs: completion, errors, people, cost, time", "counting"),
    "review": Listed("show what people decided, by tool", "reviewing"),
    "export": Listed("write runs as cases of a dataset", "exporting"),
    "regress": Listed("make a failed run a regression case", "exporting"),
    "ledgers": Listed("list what is spent in the ledgers", "accounting"),
    "approvals": Listed("list what waits for a person", "pending"),
    "approve": Listed("approve a call that waits", "approval"),
    "deny": Listed("deny a call that waits", "approval"),
    "answer": Listed("answer a question of the model's", "approval"),
    "settle": Listed("say what became of a call of unknown outcome", "settlement"),
    "cancel": Listed("end a run", "settlement"),
    "correct": Listed("say what a run should have answered", "correcting"),
    "eval": Listed("try an agent with cases, and hold it against a baseline", "evaluating"),
    "unwind": Listed("take back what a run has done", "unwinding"),
    "send": Listed("say something to a run", "speaking"),
    "thread": Listed("show what was said in a conversation", "thread"),
    "pause": Listed("hold a run", "pausing"),
    "resume": Listed("go on with a run that is paused", "pausing"),
    "unpause": Listed("the same as resume", "pausing"),
    "raise": Listed("raise a ceiling of a run", "raised"),
    "drain": Listed("have the owner of the file begin nothing new", "drained"),
    "run": Listed("start a run with your own code, and follow it", "running"),
    "serve": Listed("own a file with your own code, and go on with its runs", "serving"),
    "draw": Listed("draw the supervision tree", "drawing"),
    "doctor": Listed("look for what needs somebody", "doctor"),
    "completion": Listed("print what a shell completes by", "completion"),
    "rules": Listed("list the standing rules, or take one back", "rule"),
    "accept": Listed("accept the tools of an MCP server", "acceptance"),
    "fork": Listed("begin a new run from a run's past", "forking"),
    "parked": Listed("list the messages that could not be handled", "parking"),
    "requeue": Listed("put a parked message back", "requeueing"),
    "verify": Listed("check that the file is what was written", "verification"),
    "heads": Listed("export where the file's chain stands, for verify", "heading"),
    "backup": Listed("copy the file while it is in use", "backing"),
    "prune": Listed("take away runs that ended long ago", "retention"),
    "compact": Listed("give the room of pruned runs back", "compaction"),
    "documents": Listed("list the libraries of a file, or export one", "knowledge"),
    "forget": Listed("delete one subject's data from the libraries", "forgetting"),
    "ui": Listed("show the file in a browser", "ui"),
}
"""In the order in which `--help` lists them."""
