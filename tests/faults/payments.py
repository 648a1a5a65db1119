"""A till that is paid into one by one, each answer marked in the interposer's log: for images of a power loss."""

from __future__ import annotations

import time
from pathlib import Path

from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import decode
from choragus.mailbox.compaction import compact
from choragus.mailbox.errors import ChoragusError
from choragus.mailbox.file import Synchronous
from choragus.mailbox.sqlite import SqliteStore
from choragus.supervision.system import System
from choragus.supervision.testing.ledger import Ledger

from .acknowledged import Acknowledged, Till, TillState, pay_in
from .interposer import Interposer
from .verdict import Verdict

PAYMENTS = 160
FILLING = "0123456789abcdef" * 700
"""Makes a commit of some 20 pages, so that the write-ahead log is brought over into the file every 50 commits."""


async def payments(path: Path, ledger: Ledger, *, synchronous: Synchronous, paid: int = PAYMENTS) -> int:
    """Pay in, close, compact, open again, pay in more."""
    host = Acknowledged(path)
    interposer = Interposer()
    for most in (paid * 3 // 4, paid):
        store = await SqliteStore.open(path, synchronous=synchronous)
        async with System(store=store, actors=[Till]) as system:
            await pay_in(system, host, most, filling=FILLING, told=interposer.ack)
        await store.close()
        if most < paid:
            await compact(path)
    return paid


async def look(path: Path, acknowledged: int) -> Verdict:
    """Open a file as its next owner would, and look whether all of it agrees."""
    try:
        store = await SqliteStore.open(path)
        try:
            await store.claim("judge", 30.0, time.time())
            snapshot = await store.load(actor_id("faults.till", "till"))
            state = decode(snapshot.state) if snapshot.state is not None else TillState()
            assert isinstance(state, TillState)
            view = await store.view("till", "till")
            shown = b'{"total":%d}' % state.total if state.total else None
            lines = (await store.extent("till/till")).last
            problems = list((await store.verify()).problems)
        finally:
            await store.close()
    except ChoragusError as error:
        return Verdict(problem=f"{type(error).__name__}: {error}")
    if lines != state.total or (view.body if view is not None else None) != shown:
        problems.append(f"half a turn: the total is {state.total}, there are {lines} lines, and shown is {view}")
    if state.total > acknowledged + 1:
        problems.append(f"{state.total} were paid in, and at most {acknowledged + 1} were sent")
    return Verdict(lost=max(0, acknowledged - state.total), problem="; ".join(problems))
