"""Rules about what an agent reads, says and does, as plain code: pure, in order, recorded with their version.

The built-in ones are imported when they are first asked for: a runtime without them starts as quickly as before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .chain import Chain, Policy, Ruling
from .check import Check, Past, PastCall, Stage
from .verdict import Allow, Ask, Deny, End, Escalate, Rewrite, Verdict

if TYPE_CHECKING:
    from .config import load_policies
    from .loop import LoopPolicy
    from .norms import Norms
    from .path import PathBoundary
    from .rate import RatePolicy
    from .redacted import Redacted, redact
    from .redaction import RedactionPolicy
    from .risk import RiskPolicy
    from .rule import RulePolicy
    from .schema import OutputSchema
    from .stream import RedactionStream
    from .unusual import NewToolPolicy, PlanPolicy, UnusualArgumentsPolicy, UnusualSpendingPolicy, unexpected
    from .url import Pinned, UrlBoundary

__all__ = [
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

_MODULES = {
    "LoopPolicy": "loop",
    "NewToolPolicy": "unusual",
    "Norms": "norms",
    "OutputSchema": "schema",
    "PathBoundary": "path",
    "Pinned": "url",
    "PlanPolicy": "unusual",
    "RatePolicy": "rate",
    "Redacted": "redacted",
    "RedactionPolicy": "redaction",
    "RedactionStream": "stream",
    "RiskPolicy": "risk",
    "RulePolicy": "rule",
    "UnusualArgumentsPolicy": "unusual",
    "UnusualSpendingPolicy": "unusual",
    "UrlBoundary": "url",
    "load_policies": "config",
    "redact": "redacted",
    "unexpected": "unusual",
}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = found
    return found
