"""The wall clock jumps while the system runs, and while it is down."""

from __future__ import annotations

import asyncio

import attrs

from choragus.actors.testing import clock, settled, simulate
from choragus.mailbox import FileInUse, LeaseLost, MemoryStore, actor_id
from choragus.mailbox.codec import decode
from choragus.supervision import System, SystemFailed

from .machine import Seen
from .till import Add, Arm, Sum, Till

HOUR = 3600.0


@attrs.define
class Wall:
    """A wall clock that can be set."""

    shift: float = 0.0

    def __call__(self) -> float:
        return clock() + self.shift


async def rung(store: MemoryStore) -> int:
    """How often the timer has rung."""
    record = (await store.load(actor_id("till.till", "a"))).state
    state = None if record is None else decode(record)
    return len(state.rings) if isinstance(state, Sum) else 0


def seconds_until_it_rings(jump: float, *, within: float = 2 * HOUR) -> float | None:
    """Real seconds from a jump to the ring of a timer that was set for 10 s; None when it does not come in time."""

    async def main() -> float | None:
        wall, store = Wall(), MemoryStore()
        async with System(store=store, actors=[Till], clock=wall) as system:
            await system.ref(Till, "a").ask(Arm(10.0))
            await asyncio.sleep(2)
            wall.shift += jump
            begun = clock()
            while clock() < begun + within:
                await settled()
                if await rung(store):
                    return clock() - begun
                await asyncio.sleep(0.02 if clock() < begun + 20 else 10)
        return None

    return simulate(main, steps=5_000_000)


def taken_from_a_live_owner(jump: float) -> bool:
    """Whether a second process gets the file of a live owner when the clock has just jumped."""

    async def main() -> bool:
        wall, store = Wall(), MemoryStore()
        try:
            async with System(store=store, actors=[Till], clock=wall) as system:
                await system.ref(Till, "a").ask(Add(1))
                wall.shift += jump
                try:
                    await store.claim("another", 10.0, wall())
                except FileInUse:
                    return False
                await asyncio.sleep(30)
        except SystemFailed as failed:
            return any(isinstance(error, LeaseLost) for error in failed.exceptions)
        return False

    return simulate(main)


def rows(quick: bool) -> list[Seen]:
    """Forwards and backwards, timers and the lease."""
    jumps = (60.0, HOUR) if quick else (20.0, 60.0, HOUR, 24 * HOUR, 400 * 24 * HOUR)
    ahead = [seconds_until_it_rings(jump, within=60.0) for jump in jumps]
    back = [seconds_until_it_rings(-jump, within=jump + 60.0) for jump in ((60.0,) if quick else (60.0, HOUR))]
    late = tuple(f"{one} s after a jump forwards" for one in ahead if one is None or one > 0.1)
    taken = [taken_from_a_live_owner(jump) for jump in (*jumps, *(-jump for jump in jumps))]
    return [
        Seen(
            fault="the wall clock is set forward past a durable timer",
            points=len(ahead),
            promised="it rings at its wall time, within one look of 0.04 s",
            broken=late,
            seen=f"rang after {', '.join(f'{one:.2f}' if one else 'never' for one in ahead)} s; 8 s were left",
        ),
        Seen(
            fault="the wall clock is set back before a durable timer",
            points=len(back),
            promised="a plain timer rings once, at its wall time, however late that is now",
            broken=tuple("it never rang" for one in back if one is None),
            seen=f"rang after {', '.join(f'{one:.0f}' if one else 'never' for one in back)} s",
        ),
        Seen(
            fault="the wall clock jumps under a live owner, and another process opens the file at once",
            points=len(taken),
            promised="the file stays with a live owner, or is taken by the fence and nothing is written twice",
            seen=f"taken over in {sum(taken)} of {len(taken)}: after jumps forwards, until the lease is renewed",
        ),
    ]
