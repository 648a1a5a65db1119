"""Calls in a process of their own, which is killed, with all that it has started, when it is not wanted any more."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping
from contextlib import suppress

import msgspec

from choragus.agents.errors import BadArguments, BadResult, ToolError
from choragus.agents.patience import GRACE

from .context import ToolContext
from .definition import Tool
from .worker import Answer, Order

INSIDE = "CHORAGUS_WORKER"
"""Set in the environment of a worker: a script without a guard would run itself in it, and start workers in turn."""

WORKER = (sys.executable, "-c", "from choragus.agents.toolbelt.worker import main; main()")


class Died(Exception):
    """Raised when the process came to an end without an answer; nobody knows what it did."""


class FailedThere(Exception):
    """Raised when the tool raised in its process; the text is that of its error."""


async def in_process(
    tool: Tool,
    arguments: Mapping[str, object],
    context: ToolContext[object],
    secrets: Mapping[str, str],
    environment: Mapping[str, str],
) -> str:
    """The result as JSON. When the caller is cancelled, the process is killed and gone before this returns.

    Args:
        secrets: those that the tool may have.
        environment: the variables that the process has, beside where it finds its modules.

    Raises:
        RuntimeError: this is such a process already.
        Died: it ended without an answer.
        BadArguments, BadResult, ToolError, FailedThere: as the tool raised it there.
    """
    if INSIDE in os.environ:
        raise RuntimeError(
            f"tool {tool.name!r} was called by a worker: put what the script does under `if __name__ ==`"
        )
    order = msgspec.json.encode(_order(tool, arguments, context, secrets))
    folders = os.pathsep.join(one for one in sys.path if one)
    process = await asyncio.create_subprocess_exec(
        *WORKER,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**environment, "PYTHONPATH": folders, INSIDE: "1"},
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        with suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(order + b"\n")
            await process.stdin.drain()
        told = await process.stdout.read()  # its input stays open: at its end the worker ends
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(_gone(process.stdin, process.stdout, process))
    if not told:
        raise Died(f"the process of {tool.name} ended without an answer (exit code {process.returncode})")
    return _result(tool, msgspec.json.decode(told, type=Answer))


async def _gone(stdin: asyncio.StreamWriter, stdout: asyncio.StreamReader, process: Process) -> None:
    """Wait until the process and its pipes are gone: what is left of them would outlive the event loop."""
    stdin.close()
    await process.wait()
    with suppress(TimeoutError):
        async with asyncio.timeout(GRACE):
            await stdout.read()
            with suppress(BrokenPipeError, ConnectionResetError):
                await stdin.wait_closed()
    await asyncio.sleep(0)


def _order(
    tool: Tool, arguments: Mapping[str, object], context: ToolContext[object], secrets: Mapping[str, str]
) -> Order:
    module = tool.function.__module__
    path = getattr(sys.modules.get(module), "__file__", None)
    return Order(
        tool=tool.name,
        module=module,
        path=os.path.abspath(path) if path else "",
        folders=[os.path.abspath(one) for one in sys.path],
        arguments=dict(arguments),
        run=context.run,
        call=context.call,
        idempotency_key=context.idempotency_key,
        attempt=context.attempt,
        traceparent=context.traceparent,
        secrets=dict(secrets),
    )


def _result(tool: Tool, answer: Answer) -> str:
    match answer.kind:
        case "result":
            return answer.text
        case "bad arguments":
            raise BadArguments(tool.name, answer.text, tool.parameters)
        case "bad result":
            raise BadResult(tool.name, answer.value, answer.text)
        case "tool error":
            raise ToolError(answer.text, answer.retryable)
        case _:
            raise FailedThere(answer.text)
