"""How long runs are kept: what has ended long ago is pruned from its file, beside the owner or by it."""

from __future__ import annotations

import time

import anyio
import attrs
import msgspec

from choragus.mailbox.address import actor_id
from choragus.mailbox.errors import CorruptRecord
from choragus.mailbox.pace import Pace
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Pruned, Pruning

from .following import thread_stream
from .inspection import RunSummary, approvals, runs, unknowns
from .message import GUARDRAIL, MEMORY, ORCHESTRATOR, TOOL_GATEWAY
from .stream import context_stream, conversation_stream, plan_stream, results_stream, run_stream

PAUSE = 0.005
"""The least time between two transactions, in seconds; after a longer one it is as long as that."""

LIMIT = 100
"""The most rows that a transaction takes."""

PAGE = 500


@attrs.frozen
class KeptRun:
    """A run that ended long enough ago and was not pruned, and why; no run at all for the system's own stream."""

    run: str
    reason: str


@attrs.frozen(kw_only=True)
class Sweep:
    """What a pruning took away, or would take.

    `before` is when, in seconds since the epoch, whatever is older than that has ended. `entries` counts lines of
    logbooks and conversations, `records` finished calls, kept replies and parked messages, `states` actors.
    """

    before: float
    runs: tuple[str, ...] = ()
    kept: tuple[KeptRun, ...] = ()
    entries: int = 0
    records: int = 0
    states: int = 0


async def prune_runs(store: Store, *, older_than: float, now: float, dry_run: bool = False) -> Sweep:
    """Prune the runs that ended more than `older_than` seconds ago, the system's stream so far, and kept replies.

    Runs that have not ended, that wait for a person or for a message, or that a reader such as the tracer has not read
    to their end are kept. Many short transactions, with pauses as long as they took: an owner goes on beside it. When
    it ends half-way, in a kill say, the next one goes on.

    Args:
        dry_run: only say what would go; of `records` and `states` nothing is said then.

    Raises:
        ValueError: when `older_than` is negative.
    """
    if older_than < 0:
        raise ValueError(f"older_than={older_than:g} is negative: give the seconds that a run is kept after its end")
    before = now - older_than
    sweep, pace = Sweep(before=before), None if dry_run else Pace(most=LIMIT)
    for summary in await runs(store):
        if summary.status.is_final and summary.ended < before:
            sweep = await _prune_run(store, summary, now, pace, sweep)
    upto = await _last_before(store, before)
    rest = Pruning(at=now, streams={SYSTEM_STREAM: upto} if upto else {}, keys_before=max(0.0, before))
    return await _carried_out(store, "", rest, pace, sweep)


async def _prune_run(store: Store, summary: RunSummary, now: float, pace: Pace | None, sweep: Sweep) -> Sweep:
    run = summary.run
    if await approvals(store, run) or await unknowns(store, run):
        reason = "it waits for a person: see `choragus approvals`"
        return attrs.evolve(sweep, kept=(*sweep.kept, KeptRun(run, reason)))
    extents = {name: (await store.extent(name)).last for name in _streams(run)}
    streams = {name: last for name, last in extents.items() if last}
    parts = tuple(actor_id(part, run) for part in (ORCHESTRATOR, MEMORY, GUARDRAIL, TOOL_GATEWAY))
    views = [("run", run), ("unwinding", run)]
    if summary.thread:
        views += [("said", row.key) for row in await store.views("said", run)]
        streams |= await _line_of_thread(store, summary)
    pruning = Pruning(at=now, streams=streams, actors=parts, views=tuple(views))
    return await _carried_out(store, run, pruning, pace, sweep)


async def _line_of_thread(store: Store, summary: RunSummary) -> dict[str, int]:
    """The run's own line among the runs of its thread, once it is the first there."""
    stream = thread_stream(summary.thread)
    extent = await store.extent(stream)
    first = await store.read(stream, extent.first - 1, 1)
    is_first = any(msgspec.json.decode(line.body)["run"] == summary.run for line in first)
    return {stream: extent.first} if is_first else {}


def _streams(run: str) -> tuple[str, ...]:
    return run_stream(run), conversation_stream(run), results_stream(run), context_stream(run), plan_stream(run)


async def _carried_out(store: Store, run: str, pruning: Pruning, pace: Pace | None, sweep: Sweep) -> Sweep:
    """The sweep with one more run, or with the run among those that are kept; without a pace nothing is taken."""
    try:
        done = await (_pruned(store, pruning, pace) if pace else _counted(store, pruning))
    except CorruptRecord as error:
        done = Pruned(in_use=f"{error}: see `choragus verify`")
    sweep = attrs.evolve(
        sweep,
        entries=sweep.entries + done.entries,
        records=sweep.records + done.records,
        states=sweep.states + done.states,
    )
    if done.in_use:
        return attrs.evolve(sweep, kept=(*sweep.kept, KeptRun(run, done.in_use)))
    return attrs.evolve(sweep, runs=(*sweep.runs, run)) if run else sweep


async def _pruned(store: Store, pruning: Pruning, pace: Pace) -> Pruned:
    total = Pruned()
    while True:
        began = time.monotonic()
        part = await store.prune(attrs.evolve(pruning, limit=pace.limit))
        pace.took(part.seconds)
        total = Pruned(
            entries=total.entries + part.entries,
            records=total.records + part.records,
            states=total.states + part.states,
            in_use=part.in_use,
            done=part.done,
        )
        await anyio.sleep(max(PAUSE, time.monotonic() - began))  # also behind the last: the next run comes at once
        if part.done or part.in_use:
            return total


async def _counted(store: Store, pruning: Pruning) -> Pruned:
    looked = await store.prune(attrs.evolve(pruning, limit=0))
    if looked.in_use:
        return looked
    extents = [(await store.extent(stream), upto) for stream, upto in pruning.streams.items()]
    return Pruned(entries=sum(max(0, upto - extent.first + 1) for extent, upto in extents), done=True)


async def _last_before(store: Store, before: float) -> int:
    """The position of the system's last entry from before a time, with none behind it that is older; 0 for none."""
    upto = 0
    while page := await store.read(SYSTEM_STREAM, upto, PAGE):
        for entry in page:
            if entry.at >= before:
                return upto
            upto = entry.position
    return upto
