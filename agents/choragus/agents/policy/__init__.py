"""Rules about what an agent reads, says and does, as plain code: pure, in order, recorded with their version."""

from .chain import Chain, Policy, Ruling
from .check import Check, Past, PastCall, Stage
from .config import load_policies
from .loop import LoopPolicy
from .norms import Norms
from .path import PathBoundary
from .rate import RatePolicy
from .redact import KINDS, PERSONAL, SECRETS, Redacted, redact
from .redaction import RedactionPolicy
from .risk import RiskPolicy
from .rule import RulePolicy
from .schema import OutputSchema
from .stream import RedactionStream
from .unusual import NewToolPolicy, PlanPolicy, UnusualArgumentsPolicy, UnusualSpendingPolicy, unexpected
from .url import Pinned, UrlBoundary
from .verdict import Allow, Ask, Deny, End, Escalate, Rewrite, Verdict

__all__ = [
    "KINDS",
    "PERSONAL",
    "SECRETS",
    "Allow",
    "Ask",
    "Chain",
    "Check",
    "Deny",
    "End",
    "Escalate",
    "LoopPolicy",
    "NewToolPolicy",
    "Norms",
    "OutputSchema",
    "Past",
    "PastCall",
    "PathBoundary",
    "Pinned",
    "PlanPolicy",
    "Policy",
    "RatePolicy",
    "Redacted",
    "RedactionPolicy",
    "RedactionStream",
    "Rewrite",
    "RiskPolicy",
    "RulePolicy",
    "Ruling",
    "Stage",
    "UnusualArgumentsPolicy",
    "UnusualSpendingPolicy",
    "UrlBoundary",
    "Verdict",
    "load_policies",
    "redact",
    "unexpected",
]
