"""The agent runtime: agents, tools, and runs that are supervised, durable and limited.

What is behind this door is imported when it is first asked for, so that who needs little waits for little.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent import Agent
    from .approval import Approval
    from .approver import Approvals
    from .asgi import approvals_app
    from .attention import Attention
    from .checkpoint import After, Before, BeforeAnswer, BeforeStep
    from .config import Config, load_config
    from .config_source import ConfigSource
    from .context.block import Block
    from .context.explaining import ContextPiece, Explanation, LeftOut
    from .context.handover import working_context
    from .context.option import Context
    from .context.retrieval import Retrieval, Retrieved, Retriever
    from .context.strategy import DropResults, MessageRule, Summarise, Window
    from .conversation import HistoryLine, Thread
    from .ended import EndedRun, MadeCall
    from .errors import (
        AgentError,
        AgentFault,
        Cancelled,
        ConfigFault,
        DecisionRefused,
        Denied,
        EvaluationFault,
        Failed,
        Held,
        LimitFault,
        LimitReached,
        ModelError,
        NotEvaluated,
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
    from .judge import Judge
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
    from .logbook.query import Logged
    from .manifest import Manifest
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
    from .telemetry.declaration import Telemetry
    from .tool import Risk, Tool, ToolContext, tool
    from .toolbelt.options import Breaker, Rate, Retry
    from .version.difference import Change
    from .version.migration import Migration
    from .webhook import Webhook, verify_signature

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
    "Change",
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
    "EndedRun",
    "Episode",
    "Episodes",
    "EvaluationFault",
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
    "Judge",
    "KeptRun",
    "Labels",
    "Ledger",
    "LedgerSummary",
    "LeftOut",
    "Library",
    "LimitFault",
    "LimitReached",
    "Limits",
    "Logged",
    "MadeCall",
    "Manifest",
    "McpServer",
    "MessageRule",
    "Migration",
    "Model",
    "ModelError",
    "ModelOptions",
    "ModelReply",
    "ModelRequest",
    "NotEvaluated",
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
    "Telemetry",
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

_MODULES = {
    "agent": ("Agent",),
    "approval": ("Approval",),
    "approver": ("Approvals",),
    "asgi": ("approvals_app",),
    "attention": ("Attention",),
    "checkpoint": (
        "After",
        "Before",
        "BeforeAnswer",
        "BeforeStep",
    ),
    "config": (
        "Config",
        "load_config",
    ),
    "config_source": ("ConfigSource",),
    "context.block": ("Block",),
    "context.explaining": (
        "ContextPiece",
        "Explanation",
        "LeftOut",
    ),
    "context.handover": ("working_context",),
    "context.option": ("Context",),
    "context.retrieval": (
        "Retrieval",
        "Retrieved",
        "Retriever",
    ),
    "context.strategy": (
        "DropResults",
        "MessageRule",
        "Summarise",
        "Window",
    ),
    "conversation": (
        "HistoryLine",
        "Thread",
    ),
    "ended": (
        "EndedRun",
        "MadeCall",
    ),
    "errors": (
        "AgentError",
        "AgentFault",
        "Cancelled",
        "ConfigFault",
        "DecisionRefused",
        "Denied",
        "EvaluationFault",
        "Failed",
        "Held",
        "LimitFault",
        "LimitReached",
        "ModelError",
        "NotEvaluated",
        "NotForkable",
        "NotPermitted",
        "Outcome",
        "Paused",
        "PolicyFault",
        "SecretFault",
        "ServerFault",
        "TextRefused",
        "ToolError",
        "ToolFault",
        "UnknownRun",
        "UnknownThread",
        "Waiting",
        "WrongAnswer",
    ),
    "flow.committing": ("commit_plan",),
    "flow.declaration": ("Labels",),
    "flow.policy": ("InformationFlow",),
    "holding": ("HeldRun",),
    "inspection": (
        "ApprovalRequested",
        "OutcomeUnknown",
        "RunEvent",
        "RunSummary",
        "Unknown",
    ),
    "judge": ("Judge",),
    "keeping": ("Unwound",),
    "knowledge.declaration": ("Library",),
    "knowledge.embedder": (
        "Embedder",
        "HashingEmbedder",
    ),
    "knowledge.episode": (
        "Episode",
        "Episodes",
    ),
    "knowledge.found": (
        "Found",
        "Provenance",
    ),
    "knowledge.message": ("Forgotten",),
    "knowledge.retrieving": ("FromEpisodes",),
    "knowledge.shelf": ("Shelf",),
    "knowledge.tools": ("episodes_tool",),
    "ledger": (
        "Ledger",
        "LedgerSummary",
    ),
    "limits": ("Limits",),
    "logbook.query": ("Logged",),
    "manifest": ("Manifest",),
    "mcp.catalogue": ("ServerStatus",),
    "mcp.declaration": (
        "FromVault",
        "McpServer",
    ),
    "mcp.serving": ("serve_mcp",),
    "model": (
        "ChatMessage",
        "Image",
        "Model",
        "ModelReply",
        "ModelRequest",
        "OutputSchema",
        "Price",
        "StreamingModel",
        "TextDelta",
        "ToolCall",
        "ToolSchema",
        "Usage",
    ),
    "model_gateway.cursor": (
        "TextChunk",
        "TextRestarted",
    ),
    "model_gateway.options": (
        "ModelOptions",
        "ProviderLimits",
        "RetryBudget",
    ),
    "plan.book": (
        "Revision",
        "StepState",
        "StepStatus",
    ),
    "plan.planning": (
        "Planning",
        "StepResult",
    ),
    "plan.reading": ("RunPlan",),
    "plan.recovery": (
        "AskPerson",
        "Recovery",
        "UseAgent",
        "UseModel",
        "UseTool",
    ),
    "plan.step": (
        "Done",
        "Plan",
        "PlanStep",
    ),
    "prompt": ("Prompt",),
    "provider.anthropic": ("AnthropicModel",),
    "provider.openai": ("OpenAIModel",),
    "question": ("ask_person",),
    "retention": (
        "KeptRun",
        "Sweep",
    ),
    "rulebook": ("Rule",),
    "rules": ("Rules",),
    "run": ("Run",),
    "runtime": ("Runtime",),
    "scripted": (
        "FunctionModel",
        "ScriptedModel",
    ),
    "state": ("Status",),
    "streamed": ("StreamingFunctionModel",),
    "sync": ("run_sync",),
    "telemetry.declaration": ("Telemetry",),
    "tool": (
        "Risk",
        "Tool",
        "ToolContext",
        "tool",
    ),
    "toolbelt.options": (
        "Breaker",
        "Rate",
        "Retry",
    ),
    "version.difference": ("Change",),
    "version.migration": ("Migration",),
    "webhook": (
        "Webhook",
        "verify_signature",
    ),
}
"""Where the names are defined, as the imports above say it too."""

_PLACES = {name: module for module, names in _MODULES.items() for name in names}


class _Door(ModuleType):
    """A module among whose names are some that its own modules have: importing these changes nothing here."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _PLACES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Door


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
