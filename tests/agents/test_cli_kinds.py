"""Every kind of line that is written down is told by `choragus show`, or left out for a reason that stands here."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import choragus.agents
from choragus.agents.cli.planned import PLAN_KINDS
from choragus.agents.cli.text import columns
from choragus.agents.cli.timeline import _KINDS, Timeline
from choragus.agents.cli.verdict import VERDICT_KINDS
from choragus.agents.plan import book
from choragus.mailbox.citation import FORKED
from choragus.mailbox.turn import LogEntry

from . import test_prompt_decides_nothing, test_prompt_plans_nothing

SOURCE = Path(choragus.agents.__file__).parent
WRITERS = {"log", "_log_model", "_announce", "_show", "append"}
KIND = re.compile(r"[a-z]+\.[a-z_]+|phase")

LEFT_OUT = {
    "evaluation.started": "of an evaluation, not of a run: its report tells it",
    "evaluation.result": "of an evaluation, not of a run: its report tells it",
    "evaluation.ended": "of an evaluation, not of a run: its report tells it",
    "trial.ended": "of an evaluation, not of a run: its report tells it",
    "system.draining": "it is about the process that owns the file; `choragus tail` tells it",
    "phase": "the lines of what a phase does say more",
    "run.manifest": "the head of the page has the agent; `--json` has all of it",
    "run.refused": "in the system's stream; `choragus show` says it of the run, at its foot",
    "memory.assembled": "one for each model call; `choragus explain` tells it",
    "limit.reached": "what comes of it is told: the end, the question, or the last answer",
    "budget.reserved": "bookkeeping of each call; the model's line has what was used",
    "budget.spent": "bookkeeping of each call; the model's line has what was used",
    "budget.presumed": "bookkeeping of a failed call; the line of the failure says why",
    "call.intended": "the line of the call stands where it was judged",
    "call.result": "in the stream of results, for `--json` and prune",
    "call.undoable": "in the stream of results; unwinding tells what it takes back",
    "attention.raised": "in the herald's stream: told to whoever is to act",
    "attention.told": "in the herald's stream",
    "attention.failed": "in the herald's stream; `choragus attention` lists what is open",
    "fork.refused": "of a run that never began; whoever forked reads it",
    "episode.kept": "in the stream of episodes",
    "library.put": "in the library's stream; the call that put it is told",
    "library.forgotten": "in the library's stream",
    "library.swept": "in the library's stream",
    "ledger.reserved": "in the ledger's stream: of many runs",
    "ledger.spent": "in the ledger's stream",
    "ledger.refused": "in the ledger's stream; the run's end, or its wait, is told",
    "mcp.pinned": "in the server's stream; `choragus accept` shows it",
    "mcp.changed": "in the server's stream; `choragus accept` shows it",
    "mcp.accepted": "in the server's stream",
    "mcp.refused": "in the server's stream",
    "rule.added": "in the stream of rules; `choragus rules` lists them",
    "rule.expired": "in the stream of rules",
    "rule.refused": "in the stream of rules",
    "rule.revoked": "in the stream of rules",
    "rule.used": "in the stream of rules; the call's line names the rule",
}


def written() -> Iterator[str]:
    """The kinds that stand in the source where something is written down."""
    texts = (path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py"))
    for text in (one for one in texts if any(f".{writer}(" in one for writer in WRITERS)):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in WRITERS:
                for given in node.args:
                    inner = [] if isinstance(given, ast.Call | ast.Dict | ast.JoinedStr) else ast.walk(given)
                    said = [one.value for one in inner if isinstance(one, ast.Constant)]
                    yield from (one for one in said if isinstance(one, str) and KIND.fullmatch(one))
    yield from (book.PROPOSED, book.REVISED, book.STARTED, book.RETRIED, book.FALLBACK)
    yield from (book.SUCCEEDED, book.FAILED, book.SKIPPED, book.ESCALATED, FORKED)


OF_THE_KERNEL = {"actor.failed", "message.parked"}
TOLD = set(_KINDS) | PLAN_KINDS | VERDICT_KINDS
FIELDS = ("step", "call", "by", "steps", "found", "texts", "given", "faults", "approvers", "reason", "started", "end")
STRANGE: list[object] = [None, 3, "x" * 300, ["y" * 300], {"a": 1}, [{"source": "z" * 300}]]
ODD = [{}, *(dict.fromkeys(FIELDS, odd) for odd in STRANGE)]


def entry(kind: str, data: object, at: float = 0.0) -> LogEntry:
    """A line of a run."""
    body = json.dumps(data).encode()
    return LogEntry(seq=1, stream="run/x", position=1, kind=kind, at=at, body=body, batch=1, hash=b"")


def test_every_kind_is_told_or_left_out_for_a_reason() -> None:
    found = set(written()) | OF_THE_KERNEL

    assert len(found) > 80
    assert found - TOLD - set(LEFT_OUT) == set(), "tell them in cli/timeline.py, or say here why not"
    assert set(LEFT_OUT) - found == set(), "nothing writes these down any more"
    assert TOLD - found == set(), "nothing writes these down any more"
    assert set(LEFT_OUT) & TOLD == set()


@pytest.mark.parametrize("kind", sorted(TOLD))
def test_no_kind_stumbles_over_what_is_missing_or_odd(kind: str) -> None:
    for data in ODD:
        lines = Timeline(80).lines([entry(kind, data)])

        assert all(isinstance(line, str) for line in lines)


SAMPLES = [
    ("model.queued", {"step": 2, "reason": "no room"}, "2 waits model: no room"),
    ("model.fallback", {"step": 2, "model": "b", "instead": "a"}, "2 fallback b instead of a"),
    (
        "memory.compacted",
        {"step": 3, "by": "window", "tokens_before": 9, "tokens_after": 4},
        "3 compacted 9 to 4 tokens, by window",
    ),
    (
        "memory.retrieved",
        {"step": 3, "by": "facts", "found": [{"source": "bay"}, {"source": "log"}]},
        "3 looked up facts, 2 texts: bay, log",
    ),
    (
        "memory.retrieved",
        {"step": 3, "by": "facts", "found": [], "error": "down"},
        "3 looked up facts, nothing: down",
    ),
    ("text.received", {"step": 3, "by": "mia", "said": "Stop."}, "3 told by mia: Stop."),
    ("text.read", {"step": 3, "texts": ["text-1", "text-2"]}, "3 read text-1, text-2"),
    ("text.refused", {"text": "text-1", "by": "mia", "reason": "denied"}, "not read text-1 of mia: denied"),
    (
        "block.edited",
        {"call": "3.1", "label": "notes", "number": 2, "characters": 9},
        "3.1 edited block notes, edit 2, 9 characters",
    ),
    ("child.refused", {"agent": "helper", "reason": "no depth"}, "sub-run refused, helper: no depth"),
    ("plan.proposed", {"steps": 3, "by": "model"}, "plan 3 steps, by the model"),
    ("plan.refused", {"faults": ["a", "b"]}, "no plan a; b"),
    ("plan.revised", {"by": "model", "reason": "one more"}, "revised by the model: one more"),
    ("step.fallback", {"step": "a", "by": "tool look", "reason": "no"}, "fallback a by tool look: no"),
    ("step.escalated", {"step": "a", "reason": "no"}, "escalated a: no"),
    ("run.judged", {"succeeded": True, "by": "paid", "reason": ""}, "judged it succeeded, by paid"),
    (
        "run.judged",
        {"succeeded": False, "by": "it", "reason": "", "score": 0.25, "cost_usd": 0.5},
        "judged it did not succeed with 0.25, by it ($0.5000)",
    ),
    (
        "run.judged",
        {"succeeded": None, "by": "it", "reason": ""},
        "judged nobody knows whether it succeeded, by it",
    ),
    ("judge.failed", {"tries": 2, "reason": "no answer"}, "failed judge, try 2: no answer"),
    ("run.corrected", {"answer": "5", "by": "mia", "reason": "wrong"}, "corrected by mia: wrong"),
    ("correction.refused", {"by": "mia", "reason": "no run"}, "corrected not: by mia: no run"),
]


@pytest.mark.parametrize(
    ("kind", "data", "told"), SAMPLES, ids=[f"{kind}-{at}" for at, (kind, *_) in enumerate(SAMPLES)]
)
def test_a_line_says_what_happened(kind: str, data: dict[str, object], told: str) -> None:
    _, line, *_ = Timeline(80).lines([entry(kind, data)])

    assert " ".join(line.split()[2:]) == told
    assert columns(line) <= 80


@pytest.mark.parametrize("play", [test_prompt_decides_nothing, test_prompt_plans_nothing], ids=["calls", "plan"])
def test_a_run_is_told_in_eighty_columns(play: object) -> None:
    story = play._plain()  # type: ignore[attr-defined]  # a module
    lines = Timeline(80).lines([entry(kind, data) for kind, data in story if isinstance(data, dict)])

    assert len(lines) > 20
    assert [line for line in lines if columns(line) > 80] == []
