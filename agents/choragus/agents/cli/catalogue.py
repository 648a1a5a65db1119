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
    "top": Listed("watch the runs that are under way", "top"),
    "tree": Listed("show a run with its sub-runs and forks", "tree"),
    "log": Listed("search the entries of a file", "searching"),
    "explain": Listed("show what the model was given in a step, and why", "explaining"),
    "diff": Listed("show on what two runs ran, and what differs", "difference"),
    "thread": Listed("show what was said in a conversation", "thread"),
    "draw": Listed("draw the supervision tree", "drawing"),
    "ui": Listed("show the file in a browser", "ui"),
    "approvals": Listed("list what waits for a person", "pending"),
    "approve": Listed("approve a call that waits", "approval"),
    "deny": Listed("deny a call that waits", "approval"),
    "answer": Listed("answer a question of the model's", "approval"),
    "settle": Listed("say what became of a call of unknown outcome", "settlement"),
    "rules": Listed("list the standing rules, or take one back", "rule"),
    "accept": Listed("accept the tools of an MCP server", "acceptance"),
    "send": Listed("say something to a run", "speaking"),
    "pause": Listed("hold a run", "pausing"),
    "resume": Listed("go on with a run that is paused", "pausing"),
    "unpause": Listed("the same as resume", "pausing"),
    "raise": Listed("raise a ceiling of a run", "raised"),
    "cancel": Listed("end a run", "settlement"),
    "unwind": Listed("take back what a run has done", "unwinding"),
    "fork": Listed("begin a new run from a run's past", "forking"),
    "run": Listed("start a run with your own code, and follow it", "running"),
    "serve": Listed("own a file with your own code, and go on with its runs", "serving"),
    "drain": Listed("have the owner of the file begin nothing new", "drained"),
    "doctor": Listed("look for what needs somebody", "doctor"),
    "parked": Listed("list the messages that could not be handled", "parking"),
    "requeue": Listed("put a parked message back", "requeueing"),
    "stats": Listed("show the figures of runs: completion, errors, people, cost, time", "counting"),
    "review": Listed("show what people decided, by tool", "reviewing"),
    "ledgers": Listed("list what is spent in the ledgers", "accounting"),
    "eval": Listed("try an agent with cases, and hold it against a baseline", "evaluating"),
    "correct": Listed("say what a run should have answered", "correcting"),
    "export": Listed("write runs as cases of a dataset", "exporting"),
    "regress": Listed("make a failed run a regression case", "exporting"),
    "verify": Listed("check that the file is what was written", "verification"),
    "heads": Listed("export where the file's chain stands, for verify", "heading"),
    "backup": Listed("copy the file while it is in use", "backing"),
    "prune": Listed("take away runs that ended long ago", "retention"),
    "compact": Listed("give the room of pruned runs back", "compaction"),
    "documents": Listed("list the libraries of a file, or export one", "knowledge"),
    "forget": Listed("delete one subject's data from the libraries", "forgetting"),
    "completion": Listed("print what a shell completes by", "completion"),
}
"""In the order in which `--help` lists them."""

GROUPS = {
    "runs": "see what is going on, and what has happened",
    "approvals": "decide what waits for a person",
    "send": "steer a run",
    "run": "operate a service",
    "stats": "measure, and get better",
    "verify": "keep and prove the record",
    "completion": "for your shell",
}
"""What one wants with the commands from this one on, up to the next."""

ALSO = {
    "runs": "ls list jobs",
    "top": "ps watch",
    "show": "trace history timeline get",
    "log": "logs search grep entries",
    "doctor": "status health check",
    "stats": "metrics cost figures",
    "deny": "reject refuse decline",
    "approvals": "pending queue inbox",
    "cancel": "stop kill abort end",
    "resume": "continue",
    "run": "start",
    "serve": "worker open",
    "ui": "web page dashboard",
    "fork": "replay branch",
    "unwind": "undo rollback revert",
    "forget": "delete erase",
    "compact": "vacuum",
    "prune": "clean gc",
    "verify": "audit prove",
    "requeue": "retry",
    "parked": "dlq dead",
    "ledgers": "budget budgets",
    "eval": "test evaluate",
    "draw": "graph",
    "drain": "shutdown",
    "raise": "limits limit",
    "settle": "unknown",
}
"""What people type who know other tools: it is no command, and is told the one that they mean."""
