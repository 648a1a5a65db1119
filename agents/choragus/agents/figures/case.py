"""A run as a case: what it was given, what was expected of it, what it did, and what people said of it.

A case is a JSON object, with names as pydantic-evals has them: `name`, `inputs`, `expected_output`, `metadata`, and
beside these `labels`, `trajectory` and `source`. The standard library only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from os.path import basename
from typing import NamedTuple

from choragus.mailbox.reader import Reader, ViewRow

from .calls import entries
from .counted import number, outcome_of

UNREVIEWED = "unreviewed"
"""The label of a case whose expected answer is the run's own, which nobody has looked at."""

LABELS = (
    *("completed", "unsuccessful", "failed", "limit", "denied", "cancelled"),
    *("escalated", "corrected", "edited", "refused", "degraded", "untrusted", UNREVIEWED),
)
"""In the order in which a case has them: how the run ended, what people did to it, and what else is to be known.

`escalated`: a person was asked. `corrected`: a person said what it should have answered. `edited`: a person changed the
arguments of a call. `refused`: a person or a policy denied a call, and the run went on. `untrusted`: untrusted text may
have steered its answer.
"""

_KINDS = ("call.requested", "call.rewritten", "call.finished", "approval.decided", "text.read", "run.corrected")


class Told(NamedTuple):
    """What the logbook of a run tells of its calls and of people."""

    calls: list[dict[str, object]]
    edits: list[dict[str, object]]
    denied: list[str]
    texts: bool
    reason: str


def case(reader: Reader, view: ViewRow, *, arguments: bool = False) -> dict[str, object]:
    """The run of that row as a case.

    Args:
        arguments: have the arguments of the calls in it too, as they ran, as `metadata.calls`.
    """
    row, told = view.data, told_of(reader, view.key)
    correction = str(row.get("correction", ""))
    completed = outcome_of(row).completed
    return {
        "name": f"{row.get('agent', '')}-{view.key}",
        "inputs": _inputs(reader, view.key, row) if told.texts else str(row.get("goal", "")),
        "expected_output": correction or (str(row.get("outcome", "")) if completed else None),
        "metadata": _metadata(view.key, row, told, arguments),
        "labels": labels(row, told),
        "trajectory": [str(one["tool"]) for one in told.calls],
        "source": {
            "file": basename(reader.path),
            "run": view.key,
            "manifest": row.get("manifest", ""),
            "at": number(row, "ended"),
        },
    }


def labels(row: Mapping[str, object], told: Told) -> list[str]:
    """What is to be known of the run at a glance, of `LABELS` and in their order."""
    outcome = outcome_of(row)
    corrected = bool(row.get("correction"))
    sources = row.get("sources")
    found = {
        outcome.counts_as,
        "escalated" if outcome.escalated else "",
        "corrected" if corrected else "",
        "edited" if told.edits else "",
        "refused" if told.denied else "",
        "degraded" if row.get("degraded") else "",
        "untrusted" if isinstance(sources, list) and any(str(one).startswith("untrusted") for one in sources) else "",
        UNREVIEWED if outcome.completed and not corrected else "",
    }
    return [one for one in LABELS if one in found]


def told_of(reader: Reader, run: str) -> Told:
    """What the run's logbook tells; calls are those that ran, in the order in which the model asked for them."""
    asked: dict[str, dict[str, object]] = {}
    ran: set[str] = set()
    edits: list[dict[str, object]] = []
    denied: list[str] = []
    texts, reason = False, ""
    for kind, _, data in entries(reader, run, _KINDS):
        call = str(data.get("call", ""))
        match kind:
            case "call.requested":
                asked[call] = {"call": call, "tool": str(data.get("tool", "")), "arguments": data.get("arguments", {})}
            case "call.rewritten" if call in asked:
                asked[call] = {**asked[call], "arguments": data.get("arguments", {})}
            case "approval.decided" if data.get("approved") and data.get("changed_by"):
                now = {"call": call, "tool": data.get("tool", ""), "arguments": data.get("arguments", {})}
                edits.append({**now, "was": data.get("was", {}), "by": data.get("changed_by", "")})
                if call in asked:
                    asked[call] = {**asked[call], "arguments": data.get("arguments", {})}
            case "call.finished" if data.get("ran") is True:
                ran.add(call)
            case "call.finished" if data.get("end") == "denied":
                denied.append(str(data.get("tool", "")))
            case "text.read":
                texts = True
            case "run.corrected":
                reason = str(data.get("reason", ""))
    return Told([one for call, one in asked.items() if call in ran], edits, denied, texts, reason)


def _metadata(run: str, row: Mapping[str, object], told: Told, arguments: bool) -> dict[str, object]:
    outcome = outcome_of(row)
    found: dict[str, object] = {
        "agent": row.get("agent", ""),
        "status": outcome.status,
        "cost_usd": outcome.cost_usd,
        "steps": outcome.steps,
        "tokens": outcome.tokens,
        "seconds": outcome.seconds,
        "waited": outcome.waited,
        "questions": outcome.questions,
        "manifest": row.get("manifest", ""),
    }
    if row.get("tenant"):
        found["tenant"] = row["tenant"]
    if row.get("parent"):
        found["parent"] = row["parent"]
    if outcome.status != "completed":
        found["error"] = row.get("outcome", "")
    elif row.get("correction") or not outcome.completed:
        found["answered"] = row.get("outcome", "")
    if row.get("correction"):
        found["correction"] = {"by": row.get("corrected_by", ""), "reason": told.reason}
    if told.edits:
        found["edits"] = told.edits
    if arguments:
        found["calls"] = told.calls
    return found


def _inputs(reader: Reader, run: str, row: Mapping[str, object]) -> str | list[str]:
    """All that people said to the run; what the runtime said in their place is left out."""
    said, carried = [], int(number(row, "carried"))
    for entry in reader.read(f"conversation/{run}", carried):
        line = json.loads(entry.body)
        if line.get("role") == "user" and "runtime" not in line.get("labels", ()):
            said.append(str(line.get("text", "")))
    goal = str(row.get("goal", ""))
    return said if len(said) > 1 else goal
