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
from .config_source import ConfigSource
from .context.block import Block
from .context.explaining import ContextPiece, Explanation, LeftOut
from .context.handover import working_context
from .context.option import Context
from .context.retrieval import Retrieval, Retrieved, Retriever
from .context.strategy import DropResults, MessageRule, Summarise, Window
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
    ServerFault,
    TextRefused,
    ToolError,
    ToolFault,
    UnknownRun,
    UnknownThread,
    Waiting,
    WrongAnswer,
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
from .knowledge.retrieving import FromEpisodes
from .knowledge.shelf import Shelf
from .knowledge.tools import episodes_tool
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
from .model_gateway.cursor import TextChunk, TextRestarted
from .model_gateway.options import ModelOptions, ProviderLimits, RetryBudget
from .plan.book import Revision, StepState, StepStatus
from .plan.planning import Planning, StepResult
from .plan.reading import RunPlan
from .plan.recovery import AskPerson, Recovery, UseAgent, UseModel, UseTool
from .plan.step import Done, Plan, PlanStep
from .prompt import Prompt
from .provider.anthropic import AnthropicModel
from .provider.openai import OpenAIModel
from .question import ask_person
from .retention import KeptRun, Sweep
from .rulebook import Rule
from .rules import Rules
from .run import Run
from .runtime import Runtime
from .scripted import FunctionModel, ScriptedModel
from .state import Status
from .streamed import StreamingFunctionModel
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
    "AnthropicModel",
    "Approval",
    "ApprovalRequested",
    "Approvals",
    "AskPerson",
    "Attention",
    "Before",
    "BeforeAnswer",
    "BeforeStep",
    "Block",
    "Breaker",
    "Cancelled",
    "ChatMessage",
    "Config",
    "ConfigFault",
    "ConfigSource",
    "Context",
    "ContextPiece",
    "DecisionRefused",
    "Denied",
    "Done",
    "DropResults",
    "Embedder",
    "Episode",
    "Episodes",
    "Explanation",
    "Failed",
    "Forgotten",
    "Found",
    "FromEpisodes",
    "FromVault",
    "FunctionModel",
    "HashingEmbedder",
    "Held",
    "HeldRun",
    "HistoryLine",
    "Image",
    "InformationFlow",
    "KeptRun",
    "Labels",
    "Ledger",
    "LedgerSummary",
    "LeftOut",
    "Library",
    "LimitFault",
    "LimitReached",
    "Limits",
    "McpServer",
    "MessageRule",
    "Model",
    "ModelError",
    "ModelOptions",
    "ModelReply",
    "ModelRequest",
    "NotForkable",
    "NotPermitted",
    "OpenAIModel",
    "Outcome",
    "OutcomeUnknown",
    "OutputSchema",
    "Paused",
    "Plan",
    "PlanStep",
    "Planning",
    "PolicyFault",
    "Price",
    "Prompt",
    "Provenance",
    "ProviderLimits",
    "Rate",
    "Recovery",
    "Retrieval",
    "Retrieved",
    "Retriever",
    "Retry",
    "RetryBudget",
    "Revision",
    "Risk",
    "Rule",
    "Rules",
    "Run",
    "RunEvent",
    "RunPlan",
    "RunSummary",
    "Runtime",
    "ScriptedModel",
    "SecretFault",
    "ServerFault",
    "ServerStatus",
    "Shelf",
    "Status",
    "StepResult",
    "StepState",
    "StepStatus",
    "StreamingFunctionModel",
    "StreamingModel",
    "Summarise",
    "Sweep",
    "TextChunk",
    "TextDelta",
    "TextRefused",
    "TextRestarted",
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
    "UseAgent",
    "UseModel",
    "UseTool",
    "Waiting",
    "Webhook",
    "Window",
    "WrongAnswer",
    "approvals_app",
    "ask_person",
    "commit_plan",
    "episodes_tool",
    "load_config",
    "run_sync",
    "serve_mcp",
    "tool",
    "verify_signature",
    "working_context",
]

_LATER = {"Config": "config", "load_config": "config"}
"""What reads files is imported when it is first asked for."""


def __getattr__(name: str) -> object:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    globals()[name] = found
    return found
