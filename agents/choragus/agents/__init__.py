"""The agent runtime: agents, tools, and runs that are supervised, durable and limited."""

from __future__ import annotations

from .agent import Agent
from .approval import Approval
from .errors import (
    AgentError,
    AgentFault,
    Cancelled,
    Denied,
    Failed,
    LimitFault,
    LimitReached,
    ModelError,
    Outcome,
    ToolFault,
    UnknownRun,
    Waiting,
)
from .inspection import ApprovalRequested, RunEvent, RunSummary, Unknown
from .limits import Limits
from .model import ChatMessage, Model, ModelReply, ModelRequest, Price, ToolCall, ToolSchema, Usage
from .orchestrator import Status
from .prompt import Prompt
from .run import Run
from .runtime import HeldRun, Runtime, run_sync
from .scripted import FunctionModel, ScriptedModel
from .tool import Risk, Tool, ToolContext, tool

__all__ = [
    "Agent",
    "AgentError",
    "AgentFault",
    "Approval",
    "ApprovalRequested",
    "Cancelled",
    "ChatMessage",
    "Denied",
    "Failed",
    "FunctionModel",
    "HeldRun",
    "LimitFault",
    "LimitReached",
    "Limits",
    "Model",
    "ModelError",
    "ModelReply",
    "ModelRequest",
    "Outcome",
    "Price",
    "Prompt",
    "Risk",
    "Run",
    "RunEvent",
    "RunSummary",
    "Runtime",
    "ScriptedModel",
    "Status",
    "Tool",
    "ToolCall",
    "ToolContext",
    "ToolFault",
    "ToolSchema",
    "Unknown",
    "UnknownRun",
    "Usage",
    "Waiting",
    "run_sync",
    "tool",
]
