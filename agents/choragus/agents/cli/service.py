"""What `choragus serve` does: own the file, go on with its runs, say what becomes of them, and end in order."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace

import anyio

from choragus.agents.inspection import unfinished
from choragus.agents.runtime import Runtime
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM

from .app import opened
from .ending import Ending, by_signal
from .exit import Exit, heard
from .printer import Printer
from .text import counted, page, visible

LOOK = 0.1
"""Seconds between two looks for what is new."""

PAGE = 500

TOLD = frozenset({"run.started", "run.ended", "approval.requested", "call.unknown", "run.paused", "run.resumed"})
"""The kinds of entries that are printed."""


async def serve(asked: Namespace) -> Exit:
    """Serve until a signal, or until the file is drained."""
    with by_signal() as ending:
        async with opened(asked.app) as runtime:
            await _greet(runtime, asked.json)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_drained, runtime, ending)
                tasks.start_soon(_chronicle, runtime.store, asked.json)
                await ending.event.wait()
                tasks.cancel_scope.cancel()
            _say(
                asked.json, "ending", f"{ending.why}: calls under way come to their end; Ctrl-C does not wait for them"
            )
        _say(asked.json, "ended", f"{runtime.place} is left in order: the next process goes on from here")
    return Exit.OK


async def _greet(runtime: Runtime, raw: bool) -> None:
    going = unfinished(await runtime.runs())
    held = {one.run for one in runtime.held}
    count = len([one for one in going if one.run not in held])
    told = f"serving {runtime.place} as process {os.getpid()}: {counted(count, 'run')} under way"
    _say(raw, "serving", told, runs=count, held=len(held), pid=os.getpid())
    for one in runtime.held:
        _say(raw, "held", f"run {one.run} is held: {one.reason}", run=one.run)
    if not raw:
        _say(raw, "", "Ctrl-C, or SIGTERM, ends it in order")


async def _drained(runtime: Runtime, ending: Ending) -> None:
    await runtime.until_drained()
    ending.ask("drained")


async def _chronicle(store: Store, raw: bool) -> None:
    """Print what begins, ends and waits, from now on."""
    printer = Printer(page(), "run", raw)
    after = await _last(store)
    while True:
        entries = await store.log(after, PAGE)
        for entry in entries:
            after = entry.seq
            if entry.kind in TOLD:
                with heard():
                    printer.print(entry)
                    sys.stdout.flush()
        if len(entries) < PAGE:
            await anyio.sleep(LOOK)


async def _last(store: Store) -> int:
    """The number of the file's last entry, or of one shortly before: this opening has been entered just now."""
    last = (await store.extent(SYSTEM_STREAM)).last
    entries = await store.read(SYSTEM_STREAM, last - 1, 1) if last else []
    return entries[0].seq if entries else 0


def _say(raw: bool, event: str, told: str, **more: object) -> None:
    with heard():
        print(json.dumps({"event": event, "told": told, **more}) if raw else visible(told), flush=True)
