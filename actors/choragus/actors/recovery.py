"""What an opening finds of the effects that were not finished."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from choragus.mailbox.address import actor_id
from choragus.mailbox.errors import StoreError
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Committed, Effect, EffectState, Rejected, Turn

from .writer import Writer

OPENING = 30.0
"""Seconds after which an opening gives up on a disk that takes nothing."""

KEEPER = actor_id("choragus.kernel", "effects")
"""The address in whose name held effects are opened again; no actor lives there."""


async def unfinished_effects(
    store: Store, writer: Writer, fence: int, effects: Sequence[Effect]
) -> tuple[list[Effect], list[Effect]]:
    """Those known not to have started, and those that were interrupted.

    The former are marked as open, on disk, before they are given back: after a crash in the middle of one nobody may
    read that it never started.

    Raises:
        StoreError: when the disk takes nothing for `OPENING` seconds.
    """
    held = [effect for effect in effects if effect.state is EffectState.HELD]
    if held:
        snapshot = await store.load(KEEPER)
        turn = Turn(
            id=f"{KEEPER}@{fence}.{snapshot.revision + 1}",
            actor=KEEPER,
            fence=fence,
            revision=snapshot.revision,
            effects_settled=tuple((effect.id, EffectState.OPEN) for effect in held),
        )
        written: asyncio.Future[Committed | Rejected] = asyncio.get_running_loop().create_future()
        writer.submit(turn, lambda result: None if written.done() else written.set_result(result))
        while not written.done():
            await asyncio.wait({written}, timeout=OPENING)
            if not written.done() and writer.degraded:
                raise StoreError(
                    f"the system was not opened, for the disk took nothing in {OPENING:g} s: {writer.degraded}; "
                    f"nothing is lost (held effects: {len(held)}); make room or see to the disk, and open it again"
                )
        assert isinstance(written.result(), Committed)  # nobody else has turns in the keeper's name
    return held, [effect for effect in effects if effect.state is EffectState.OPEN]
