"""What only agents with certain options need, imported when the first such agent is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from choragus.mailbox.door import lazily

if TYPE_CHECKING:
    from .context.framing import check_context
    from .context.option import Context
    from .context.tool import with_block_tools
    from .mcp.declaration import McpServer
    from .plan.planning import check_helpers, check_planning
    from .provider.registry import model_named
    from .success import check_success

__all__ = [
    "Context",
    "McpServer",
    "check_context",
    "check_helpers",
    "check_planning",
    "check_success",
    "model_named",
    "with_block_tools",
]

_MODULES = {
    ".context.framing": ("check_context",),
    ".context.option": ("Context",),
    ".context.tool": ("with_block_tools",),
    ".mcp.declaration": ("McpServer",),
    ".plan.planning": ("check_helpers", "check_planning"),
    ".provider.registry": ("model_named",),
    ".success": ("check_success",),
}
"""Where the names are defined, as the imports above say it too."""

if not TYPE_CHECKING:
    __getattr__ = lazily(__name__, _MODULES)
