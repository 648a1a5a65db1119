"""What the runtime needs of a connection to a server, and where the code is that has it: imported when it is needed."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import ModuleType
from typing import Protocol, cast

from choragus.actors.thread import in_thread

from .declaration import McpServer
from .offer import Offer

LONGEST_ERROR = 4_000
"""Characters of a server's error that people and the model read."""


class Lost(Exception):
    """Raised when the connection ended before the answer came; nobody knows what the server did."""


class Ending:
    """Whether a connection has ended, and why."""

    def __init__(self) -> None:
        self.came = asyncio.Event()
        self.reason = ""


class Checked(Protocol):
    """A schema that values are held against."""

    def fault(self, value: object) -> str:
        """What is wrong with the value, or nothing."""


class Session(Protocol):
    """A connection to a server that is ready for calls."""

    async def offers(self) -> tuple[Offer, ...]:
        """The tools that it offers now.

        Raises:
            ServerEnded: it offers more than anybody can use, or cannot say what.
        """

    async def changed(self) -> None:
        """Wait until it says that its tools have changed.

        Raises:
            ServerEnded: the connection has ended; the text says why.
        """

    async def call(self, tool: str, arguments: Mapping[str, object], meta: Mapping[str, object]) -> dict[str, object]:
        """The result of a call, in the protocol's own form.

        Raises:
            ToolError: the server refuses the call.
            WrongResult: it cannot be read; the call has run.
            Lost: nobody knows what became of it.
        """


class Sdk(Protocol):
    """The module that has the SDK."""

    def connect(self, server: McpServer, secrets: Mapping[str, str]) -> AbstractAsyncContextManager[Session]:
        """Connect, and part when the block is left.

        Raises:
            ServerEnded: when it is not there, or does not speak the protocol.
        """

    def checked(self, document: Mapping[str, object]) -> Checked:
        """The schema; raises ValueError when it is none."""


async def sdk() -> Sdk:
    """The module, imported in a thread: that takes more than a second.

    Raises:
        ImportError: when the extra is missing.
    """
    return cast(Sdk, await in_thread("import mcp", lambda: load("choragus.agents.mcp.sdk")))


def load(name: str) -> ModuleType:
    """A module of ours that needs the SDK.

    Raises:
        ImportError: when the extra is missing.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").startswith("choragus"):
            raise
        raise ImportError(f"MCP servers need {error.name or 'mcp'}: pip install 'choragus[mcp]'") from error
