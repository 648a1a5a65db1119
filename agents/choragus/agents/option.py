"""What only agents with certain options need, imported when the first such agent is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choragus.mailbox.door import lazily

if TYPE_CHECKING:
    from .checkpoint import After, Before, Checkpoints, check_checkpoints
    from .context.framing import check_context
    from .context.option import Context
    from .context.tool import with_block_tools
    from .mcp.declaration import McpServer
    from .plan.planning import check_helpers, check_planning
    from .policy.chain import Policy
    from .provider.registry import model_named
    from .success import check_success

__all__ = [
    "After",
    "Before",
    "Checkpoints",
    "Context",
    "McpServer",
    "Policy",
    "check_checkpoints",
    "check_context",
    "check_helpers",
    "check_planning",
    "check_success",
    "model_named",
    "with_block_tools",
]

_MODULES = {
    ".checkpoint": ("After", "Before", "Checkpoints", "check_checkpoints"),
    ".context.framing": ("check_context",),
    ".context.option": ("Context",),
    ".context.tool": ("with_block_tools",),
    ".mcp.declaration": ("McpServer",),
    ".plan.planning": ("check_helpers", "check_planning"),
    ".policy.chain": ("Policy",),
    ".provider.registry": ("model_named",),
    ".success": ("check_success",),
}
"""Where the names are defined, as the imports above say it too."""

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _MODULES)
