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
    ServerFault,
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
from .ledger import Ledger, LedgerSummary
from .limits import Limits
from .mcp.catalogue import ServerStatus
from .mcp.declaration import FromVault, McpServer
from .mcp.serving import serve_mcp
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
    "Failed",
    "FromVault",
    "FunctionModel",
    "Held",
    "HeldRun",
    "Image",
    "InformationFlow",
    "KeptRun",
    "Labels",
    "Ledger",
    "LedgerSummary",
    "LimitFault",
    "LimitReached",
    "Limits",
    "McpServer",
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
    "ServerFault",
    "ServerStatus",
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
    "run_sync",
    "serve_mcp",
    "tool",
    "verify_signature",
]
