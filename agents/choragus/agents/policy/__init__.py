"""Rules about what an agent reads, says and does, as plain code: pure, in order, recorded with their version."""

from .chain import Chain, Policy, Ruling
from .check import Check, Past, PastCall, Stage
from .verdict import Allow, Ask, Deny, End, Escalate, Rewrite, Verdict

__all__ = [
    "Allow",
    "Ask",
    "Chain",
    "Check",
    "Deny",
    "End",
    "Escalate",
    "Past",
    "PastCall",
    "Policy",
    "Rewrite",
    "Ruling",
    "Stage",
    "Verdict",
]
