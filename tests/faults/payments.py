"""A till that is paid into one by one, each answer marked in the interposer's log: for images of a power loss."""

from __future__ import annotations

import time
from pathlib import Path

import attrs

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


@attrs.frozen(kw_only=True)
class Found:
    """What a file says of the till, in the three places where it stands; and what is wrong with the file."""

    total: int = 0
    lines: int = 0
    shown: int = 0
    problem: str = ""


async def look(path: Path) -> Found:
    """Open a file as its next owner would, and look whether all of it agrees."""
    try:
        store = await SqliteStore.open(path)
        try:
            await store.claim("judge", 30.0, time.time())
            snapshot = await store.load(actor_id("faults.till", "till"))
            state = decode(snapshot.state) if snapshot.state is not None else TillState()
            assert isinstance(state, TillState)
            view = await store.view("till", "till")
            checked = await store.verify()
            return Found(
                total=state.total,
                lines=(await store.extent("till/till")).last,
                shown=int((view.body or b"").split(b":")[1].rstrip(b"}")) if view is not None else 0,
                problem="; ".join(checked.problems),
            )
        finally:
            await store.close()
    except ChoragusError as error:
        return Found(problem=f"{type(error).__name__}: {error}")
