"""Dying at a chosen point: what a forked run of the example is fitted with, from outside the product.

Every count begins anew in each process. The kill is a SIGKILL to oneself inside the call that reached the point, so
nothing of the process runs after it.
"""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from sqlite3 import Connection
from typing import Literal, TypeAlias

import attrs

from choragus.actors.effect import EffectContext
from choragus.agents.errand import CallModel, CallTool
from choragus.agents.service import Services
from choragus.mailbox import batch as writing
from choragus.mailbox.sqlite import SqliteStore
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Batch, Committed, Rejected
from environment_audit import filing

from . import ledger

Kind = Literal["turn", "closure", "append", "intent", "statement", "filing", "linked", "filed", "delay"]
"""After the n-th turn, effect result or host message was committed; after the n-th intent of a filing was; before the
n-th SQL statement; inside the filing before its file is there, when it just appeared, and when all is done; or after n
seconds, from outside."""

CONNECT = sqlite3.connect
Run: TypeAlias = Callable[[Services, object, EffectContext], Awaitable[object]]


@attrs.frozen
class Point:
    """When to die: the `kind` of thing, and its number from 1 (for `delay`: seconds)."""

    kind: Kind
    number: float


@attrs.frozen
class Meter:
    """Counts what happens in this process, and kills it at the point, if there is one."""

    point: Point | None
    counts: Counter[str] = attrs.field(factory=Counter)

    def add(self, kind: Kind, number: int = 1) -> None:
        """So many more of a kind have happened."""
        self.counts[kind] += number
        if number and self.point is not None and self.point.kind == kind and self.counts[kind] >= self.point.number:
            os.kill(os.getpid(), signal.SIGKILL)


def fit(meter: Meter, path: Path) -> None:
    """Make this process write every real execution into the ledger at `path`, and die as the meter says.

    For a process of its own: nothing is put back.
    """
    _fit_calls(path)
    _fit_commits(meter)
    if meter.point is not None and meter.point.kind == "statement":
        _fit_statements(meter)
    _fit_filing(meter)


def _fit_calls(path: Path) -> None:
    call_model, call_tool = Services.call_model, Services.call_tool

    async def noted(run: Run, services: Services, request: object, context: EffectContext) -> object:
        begun = ledger.Line(
            moment="begun", what=subject(request), effect=context.id, intended=_is_intended(services.store, context.id)
        )
        ledger.note(path, begun)
        result = await run(services, request, context)
        ledger.note(path, attrs.evolve(begun, moment="ended"))
        return result

    async def model(services: Services, request: object, context: EffectContext) -> object:
        return await noted(call_model, services, request, context)

    async def tool(services: Services, request: object, context: EffectContext) -> object:
        return await noted(call_tool, services, request, context)

    _replace(Services, call_model=model, call_tool=tool)


def _is_intended(store: Store, effect: str) -> bool:
    """Whether the intent is on disk: asked of the file, by another connection than the store's own."""
    assert isinstance(store, SqliteStore)
    with closing(CONNECT(f"{store.path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        return bool(connection.execute("SELECT 1 FROM effect WHERE id = ?", (effect,)).fetchall())


def subject(request: object) -> str:
    """What a request is about, the same in every life of the run: `tool 3.1` or `model 4`."""
    if isinstance(request, CallTool):
        return f"tool {request.call}"
    assert isinstance(request, CallModel)
    return f"model {request.step}"


def _fit_commits(meter: Meter) -> None:
    """Count in the function that commits, in the connection's own thread: nothing comes between it and the kill."""
    commit = writing.apply

    def apply(connection: Connection, batch: Batch) -> Committed | Rejected:
        outcome = commit(connection, batch)
        if isinstance(outcome, Committed):
            meter.add("intent", _intents(batch))
            meter.add("turn", len(batch.turns))
            meter.add("closure", len(batch.closures))
            meter.add("append", len(batch.appends))
        return outcome

    _replace(writing, apply=apply)


def _intents(batch: Batch) -> int:
    entries = [entry for turn in batch.turns for entry in turn.entries]
    return sum(entry.kind == "call.intended" and b'"file_report"' in entry.body for entry in entries)


def _fit_statements(meter: Meter) -> None:
    def traced(*args: object, **kwargs: object) -> Connection:
        connection: Connection = CONNECT(*args, **kwargs)  # type: ignore[call-overload]  # handed on as they are
        connection.set_trace_callback(lambda _: meter.add("statement"))
        return connection

    _replace(sqlite3, connect=traced)


def _fit_filing(meter: Meter) -> None:
    file, link = filing.file, os.link

    def filed(out: Path, report: str, sha256: str) -> filing.Filed:
        meter.add("filing")
        result = file(out, report, sha256)
        meter.add("filed")
        return result

    def linked(source: Path, target: Path) -> None:
        link(source, target)
        meter.add("linked")

    _replace(filing, file=filed)
    _replace(os, link=linked)  # only the filing links files here


def _replace(owner: object, **attributes: object) -> None:
    for name, value in attributes.items():
        setattr(owner, name, value)
