"""The other end of a call in a process of its own: one call, and out.

It reads one line of JSON, finds the tool in its module, runs it, and writes one line of JSON. Nothing is pickled. When
whoever started it is gone, so is it: its standard input then ends.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import runpy
import sys
from threading import Thread

import msgspec
from attrs import frozen

from choragus.agents.errors import BadArguments, BadResult, SecretFault, ToolError
from choragus.agents.storable import storable

from .context import ToolContext
from .definition import Tool


@frozen(kw_only=True)
class Order:
    """One call. `path` is the file of the module, where it has one; secrets are the tool's own."""

    tool: str
    module: str
    path: str
    folders: list[str]
    arguments: dict[str, object]
    run: str
    call: str
    idempotency_key: str
    attempt: int
    secrets: dict[str, str]
    traceparent: str = ""


@frozen(kw_only=True)
class Answer:
    """What became of it: `kind` is result, bad result (of type `value`), bad arguments, tool error, or error."""

    kind: str
    text: str
    value: str = ""
    retryable: bool = False


def main() -> None:
    """Take one order, carry it out, and answer."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the tool prints is no answer
    line = sys.stdin.buffer.readline()
    Thread(target=_outlive_nobody, daemon=True).start()
    answer = _carried_out(msgspec.json.decode(line, type=Order))
    answers.write(msgspec.json.encode(answer))
    answers.flush()
    os._exit(0)  # whatever threads the tool has left behind


def find(namespace: dict[str, object], name: str) -> Tool | None:
    """The tool of that name among the names of a module."""
    return next((one for one in namespace.values() if isinstance(one, Tool) and one.name == name), None)


def _outlive_nobody() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


def _carried_out(order: Order) -> Answer:
    def secret(name: str) -> str:
        if name not in order.secrets:
            raise SecretFault(name, f"tool {order.tool!r} has not declared it: write secrets=({name!r},)")
        return order.secrets[name]

    try:
        sys.path[:] = order.folders
        made = find(_namespace(order), order.tool)
        if made is None:
            where = order.path or order.module
            return Answer(kind="error", text=f"LookupError: {where} has no tool {order.tool!r} at its top")
        context: ToolContext[object] = ToolContext(
            run=order.run,
            call=order.call,
            idempotency_key=order.idempotency_key,
            attempt=order.attempt,
            traceparent=order.traceparent,
            secret=secret,
        )
        value = asyncio.run(_called(made, order.arguments, context))
        return Answer(kind="result", text=made.render(value))
    except BadArguments as error:
        return Answer(kind="bad arguments", text=error.detail)
    except BadResult as error:
        return Answer(kind="bad result", text=error.detail, value=error.kind)
    except ToolError as error:
        return Answer(kind="tool error", text=storable(str(error)), retryable=error.retryable)
    except BaseException as error:
        return Answer(kind="error", text=storable(_told(error)))


async def _called(made: Tool, arguments: dict[str, object], context: ToolContext[object]) -> object:
    return await made.call(made.parse(arguments), context)


def _namespace(order: Order) -> dict[str, object]:
    if order.module == "__main__":
        return runpy.run_path(order.path, run_name="__choragus_worker__")
    try:
        return vars(importlib.import_module(order.module))
    except ModuleNotFoundError:
        if not order.path:
            raise
        return runpy.run_path(order.path, run_name=order.module)  # imported there in a way of its own


def _told(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}: (its text cannot be made)"
