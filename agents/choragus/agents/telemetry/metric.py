"""What kind of metric each one is: its unit, its buckets, and what it says."""

from __future__ import annotations

import attrs

from . import convention as names

_SECONDS = tuple(0.01 * 2**power for power in range(14))
_TOKENS = tuple(4.0**power for power in range(14))
_CALLS = (1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0)
_PATIENCE = (1.0, 10.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0, 86_400.0, 259_200.0, 604_800.0)


@attrs.frozen
class Metric:
    """A metric; with buckets it is a histogram, else a counter."""

    unit: str
    says: str
    buckets: tuple[float, ...] = ()


METRICS = {
    names.TOKEN_USAGE: Metric("{token}", "Tokens that a model call used.", _TOKENS),
    names.V1_41.duration: Metric("s", "How long a model call took.", _SECONDS),
    names.LATEST.duration: Metric("s", "How long a model call took.", _SECONDS),
    **{name: Metric("{token}", "Tokens that model calls used.") for name in names.LATEST.tokens.values()},
    names.AGENT_DURATION: Metric("s", "How long a run was worked on, without the time that it stood still.", _SECONDS),
    names.AGENT_INFERENCES: Metric("{call}", "Model calls of a run.", _CALLS),
    names.AGENT_TOOLS: Metric("{call}", "Tool calls of a run that ran.", _CALLS),
    names.TOOL_DURATION: Metric("s", "How long a tool call took.", _SECONDS),
    names.WORKFLOW_DURATION: Metric("s", "How long sub-runs that overlap took together.", _SECONDS),
    names.COST_METRIC: Metric("USD", "What model calls cost."),
    names.RUNS_STARTED: Metric("{run}", "Runs that began."),
    names.RUNS_ENDED: Metric("{run}", "Runs that ended, by their status."),
    names.APPROVALS_ASKED: Metric("{approval}", "What people were asked."),
    names.APPROVALS_DECIDED: Metric("{approval}", "What people decided, or let expire."),
    names.APPROVAL_WAIT: Metric("s", "How long a person was waited for.", _PATIENCE),
    names.FAILURES: Metric("{failure}", "Failed attempts of durable actors at a message."),
}
"""What is counted from the logbook."""

GAUGES = {
    names.MAILBOX_DEPTH: Metric("{message}", "Messages that wait in memory."),
    names.APPROVALS_WAITING: Metric("{approval}", "What waits for a person."),
    names.RESTARTS: Metric("{restart}", "Restarts of actors by their supervisors in this process."),
    names.DROPPED: Metric("{span}", "Spans that the exporter refused for good, in this process."),
}
"""What is looked at in the live system."""
