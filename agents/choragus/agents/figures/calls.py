"""The calls of models and tools in a file, by name: how many, how many failed, how long they took. Standard library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from choragus.mailbox.phrase import spelled_out
from choragus.mailbox.reader import Reader

from .counted import number
from .formula import Quantiles, Rate, quantiles, rate

ENTRIES = "SELECT kind, at, body FROM entry WHERE stream = (SELECT number FROM head WHERE stream = ?) AND kind IN ({})"
"""The entries of one run of some kinds: found by the index of the streams, whatever else the file holds."""

MODELS = ("model.replied", "model.failed")
TOOLS = ("call.finished", "call.retried")


class CallFigures(NamedTuple):
    """The calls of one model or tool.

    Each attempt of a model call counts, and `retries` are those behind a first one. A tool call counts once however
    often it was tried, `retries` are the further attempts; `denied` are those that never ran, in no other figure.
    `seconds` are those of calls that gave something back, of a tool those of the last attempt. Tokens and money are
    those of model calls, as far as the provider told them.
    """

    name: str
    calls: int
    errors: Rate
    seconds: Quantiles
    retries: int
    denied: int
    input_tokens: int
    output_tokens: int
    cost_usd: float


class Used(NamedTuple):
    """What a run has used: one entry of a call. `is_over` says that it has come to its end, and counts."""

    name: str
    is_over: bool
    is_error: bool = False
    ran: bool = True
    is_retry: bool = False
    seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


def entries(reader: Reader, run: str, kinds: tuple[str, ...]) -> Iterator[tuple[str, float, dict[str, object]]]:
    """The kind, time and fields of the entries of a run of these kinds, in their order; unchecked, see `verify`."""
    stream = f"run/{run}"
    statement = ENTRIES.format(", ".join("?" * len(kinds))) + " ORDER BY position"
    for kind, at, body in reader.rows(statement, stream, *kinds):
        assert isinstance(body, bytes)
        assert isinstance(at, float)
        yield str(kind), at, json.loads(spelled_out(stream, body))


def used(reader: Reader, run: str, by: str) -> Iterator[Used]:
    """What the run has used of models (`by="model"`) or tools (`by="tool"`)."""
    for kind, _, data in entries(reader, run, MODELS if by == "model" else TOOLS):
        yield _of_model(kind, data) if by == "model" else _of_tool(kind, data)


def call_figures(name: str, uses: Iterable[Used]) -> CallFigures:
    """The figures of these calls, all of one model or tool."""
    every = list(uses)
    over = [one for one in every if one.is_over and one.ran]
    return CallFigures(
        name=name,
        calls=len(over),
        errors=rate(sum(one.is_error for one in over), len(over)),
        seconds=quantiles([one.seconds for one in over if not one.is_error]),
        retries=sum(one.is_retry for one in every),
        denied=sum(one.is_over and not one.ran for one in every),
        input_tokens=sum(one.input_tokens for one in over),
        output_tokens=sum(one.output_tokens for one in over),
        cost_usd=sum(one.cost_usd for one in over),
    )


def _of_model(kind: str, data: dict[str, object]) -> Used:
    return Used(
        name=f"{data.get('provider', '')}:{data.get('model', '')}",
        is_over=True,
        is_error=kind == "model.failed",
        is_retry=number(data, "attempt") > 1,
        seconds=_took(data),
        input_tokens=int(number(data, "input_tokens")),
        output_tokens=int(number(data, "output_tokens")),
        cost_usd=number(data, "cost_usd"),
    )


def _of_tool(kind: str, data: dict[str, object]) -> Used:
    name = str(data.get("tool", ""))
    if kind == "call.retried":
        return Used(name=name, is_over=False, is_retry=True)
    is_error = data.get("end") == "failed"
    return Used(name=name, is_over=True, is_error=is_error, ran=data.get("ran") is True, seconds=_took(data))


def _took(data: dict[str, object]) -> float:
    return max(0.0, number(data, "ended") - number(data, "started"))
