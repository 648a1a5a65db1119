"""The agent runtime: agents, tools, and runs that are supervised, durable and limited."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .agent import Agent
from .approval import Approval
from .approver import Approvals
from .asgi import approvals_app
from .attention import Attention
from .checkpoint import After, Before, BeforeAnswer, BeforeStep
from .conversation import HistoryLine, Thread
from .errors import (
    AgentError,
    AgentFault,
    Cancelled,
    ConfigFault,
    DecisionRefused,
    Denied,
    Failed,
    Held,
    LimitFault,
    LimitReached,
    ModelError,
    NotForkable,
    NotPermitted,
    Outcome,
    Paused,
    PolicyFault,
    SecretFault,
    TextRefused,
    ToolError,
    ToolFault,
    UnknownRun,
    UnknownThread,
    Waiting,
)
from .flow.committing import commit_plan
from .flow.declaration import Labels
from .flow.policy import InformationFlow
from .holding import HeldRun
from .inspection import ApprovalRequested, OutcomeUnknown, RunEvent, RunSummary, Unknown
from .keeping import Unwound
from .ledger import Ledger, LedgerSummary
from .limits import Limits
from .model import (
    ChatMessage,
    Image,
    Model,
    ModelReply,
    ModelRequest,
    OutputSchema,
    Price,
    StreamingModel,
    TextDelta,
    ToolCall,
    ToolSchema,
    Usage,
)
from .prompt import Prompt
from .provenance import Provenance
from .question import ask_person
from .retention import KeptRun, Sweep
from .rulebook import Rule
from .rules import Rules
from .run import Run
from .runtime import Runtime
from .scripted import FunctionModel, ScriptedModel
from .state import Status
from .sync import run_sync
from .tool import Risk, Tool, ToolContext, tool
from .toolbelt.options import Breaker, Rate, Retry
from .webhook import Webhook, verify_signature

if TYPE_CHECKING:
    from .config import Config, load_config

__all__ = [
    "After",
    "Agent",
    "AgentError",
    "AgentFault",
    "Approval",
    "ApprovalRequested",
    "Approvals",
    "Attention",
    "Before",
    "BeforeAnswer",
    "BeforeStep",
    "Breaker",
    "Cancelled",
    "ChatMessage",
    "Config",
    "ConfigFault",
    "DecisionRefused",
    "Denied",
    "Failed",
    "FunctionModel",
    "Held",
    "HeldRun",
    "HistoryLine",
    "Image",
    "InformationFlow",
    "KeptRun",
    "Labels",
    "Ledger",
    "LedgerSummary",
    "LimitFault",
    "LimitReached",
    "Limits",
    "Model",
    "ModelError",
    "ModelReply",
    "ModelRequest",
    "NotForkable",
    "NotPermitted",
    "Outcome",
    "OutcomeUnknown",
    "OutputSchema",
    "Paused",
    "PolicyFault",
    "Price",
    "Prompt",
    "Provenance",
    "Rate",
    "Retry",
    "Risk",
    "Rule",
    "Rules",
    "Run",
    "RunEvent",
    "RunSummary",
    "Runtime",
    "ScriptedModel",
    "SecretFault",
    "Status",
    "StreamingModel",
    "Sweep",
    "TextDelta",
    "TextRefused",
    "Thread",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolFault",
    "ToolSchema",
    "Unknown",
    "UnknownRun",
    "UnknownThread",
    "Unwound",
    "Usage",
    "Waiting",
    "Webhook",
    "approvals_app",
    "ask_person",
    "commit_plan",
    "load_config",
    "run_sync",
    "tool",
    "verify_signature",
]

_LATER = {"Config": "config", "load_config": "config"}
"""What reads files is imported when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
