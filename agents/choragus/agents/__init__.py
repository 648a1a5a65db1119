"""The agent runtime: agents, tools, and runs that are supervised, durable and limited."""

from __future__ import annotations

from .agent import Agent
from .approval import Approval
from .approver import Approvals
from .asgi import approvals_app
from .attention import Attention
from .checkpoint import After, Before, BeforeAnswer, BeforeStep
from .errors import (
    AgentError,
    AgentFault,
    Cancelled,
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
    ToolError,
    ToolFault,
    UnknownRun,
    Waiting,
)
from .flow.committing import commit_plan
from .flow.declaration import Labels
from .flow.policy import InformationFlow
from .holding import HeldRun
from .inspection import ApprovalRequested, OutcomeUnknown, RunEvent, RunSummary, Unknown
from .keeping import Unwound
from .knowledge.declaration import Library
from .knowledge.embedder import Embedder, HashingEmbedder
from .knowledge.episode import Episode, Episodes
from .knowledge.found import Found, Provenance
from .knowledge.message import Forgotten
from .knowledge.shelf import Shelf
from .knowledge.tools import episodes_tool
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
    "DecisionRefused",
    "Denied",
    "Embedder",
    "Episode",
    "Episodes",
    "Failed",
    "Forgotten",
    "Found",
    "FunctionModel",
    "HashingEmbedder",
    "Held",
    "HeldRun",
    "Image",
    "InformationFlow",
    "KeptRun",
    "Labels",
    "Ledger",
    "LedgerSummary",
    "Library",
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
    "Shelf",
    "Status",
    "StreamingModel",
    "Sweep",
    "TextDelta",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolError",
    "ToolFault",
    "ToolSchema",
    "Unknown",
    "UnknownRun",
    "Unwound",
    "Usage",
    "Waiting",
    "Webhook",
    "approvals_app",
    "ask_person",
    "commit_plan",
    "episodes_tool",
    "run_sync",
    "tool",
    "verify_signature",
]
