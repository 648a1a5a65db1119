"""In which trace a run is: that of its host, that of the run above it, or its own; read from how it began."""

from __future__ import annotations

import msgspec

from choragus.agents.stream import run_stream
from choragus.mailbox.citation import FORKED
from choragus.mailbox.store import Store

from .fact import Fields, text
from .identity import SpanRef, call_part, parsed, span_of, trace_of

FIRST = 10


class Traces:
    """The traces of the runs in hand, for what they call.

    Args:
        store: where they are found again after a restart.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._begun: dict[str, tuple[str, str]] = {}
        self._known: dict[str, SpanRef] = {}

    def begins(self, run: str, parent: str, trace: str) -> None:
        """Take note of a run that begins in this process, so that nothing has to be read for it."""
        self._begun[run] = parent, trace

    async def of_call(self, run: str, call: str) -> str:
        """The span of a call, as `traceparent` for whoever works for it."""
        known = self._known.get(run)
        if known is None:
            known = self._known[run] = self._found(run) or await trace_in(self._store, run)
        return SpanRef(known.trace, span_of(run, call_part(call)), known.sampled).traceparent

    def forget(self, run: str) -> None:
        """The run has ended."""
        self._begun.pop(run, None)
        self._known.pop(run, None)

    def _found(self, run: str) -> SpanRef | None:
        at = run
        while at in self._begun:
            parent, trace = self._begun[at]
            if not parent:
                host = parsed(trace)
                return SpanRef(trace_of(at) if host is None else host.trace, span_of(run), host is None or host.sampled)
            at = parent
        return None


async def beginning(store: Store, run: str) -> tuple[Fields | None, str, int]:
    """With what a run began, the run that it is a fork of, and where in the file it began; None: nothing is left."""
    after, forked = 0, ""
    while entries := await store.read(run_stream(run), after, FIRST):
        for entry in entries:
            if entry.kind == FORKED:
                forked = text(msgspec.json.decode(entry.body), "run")
            elif entry.kind == "run.started":
                return msgspec.json.decode(entry.body), forked, entry.seq
        after = entries[-1].position
    return None, forked, 0


async def trace_in(store: Store, run: str) -> SpanRef:
    """In which trace a run is, and whether that is exported: its own first span, as far as the file tells."""
    at = run
    while True:
        started, _, _ = await beginning(store, at)
        above = "" if started is None else text(started, "parent")
        if not above:
            break
        at = above
    host = None if started is None else parsed(text(started, "trace"))
    if host is None:
        return SpanRef(trace_of(at), span_of(run))
    return SpanRef(host.trace, span_of(run), host.sampled)
