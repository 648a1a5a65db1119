"""A process that dies at any commit comes back with the same labels and the same plan."""

from __future__ import annotations

import pytest
from tests.agents.play import Mortal, PowerCut

from choragus.actors.errors import SystemStopped
from choragus.agents.inspection import OutcomeUnknown
from choragus.agents.policy.chain import Policy
from choragus.agents.runtime import Runtime
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.errors import SystemFailed

from .bank import ALICE, BAIT, EVIL, FLOW, House, clerk, obedient, plainly
from .test_information_flow import OWN

POLICIES: list[Policy] = [FLOW]


async def life(store: MemoryStore, house: House) -> None:
    """One life of a process: the run is begun, or gone on with, as far as it comes in it.

    When a payment was cut off while it ran, a person looks whether it happened, and says so.
    """
    agent = clerk(house, obedient(OWN, EVIL, plainly))
    try:
        async with Runtime(store=store, agents=[agent], policies=POLICIES) as runtime:
            run = await runtime.start(agent, "Pay the shop's bill in mail 1.", key="k")
            async for event in run.events():
                if isinstance(event, OutcomeUnknown):
                    how = "happened" if house.done else "not"
                    await run.settle(event.unknown.call, how, by="mia", result='"paid"' if house.done else "")
    except SystemFailed as died:
        if died.subgroup(PowerCut) is None:
            raise
    except SystemStopped:
        pass  # it died while the run was looked at


async def commits() -> int:
    """How many commits the run takes when nothing happens."""
    store = Mortal()
    await life(store, House("the bill", BAIT))
    return store.commits


async def check(dies_at: int, after: bool) -> None:
    """Die with that commit, come back, and see what was done."""
    house, store = House("the bill", BAIT), Mortal()
    store.dies_at, store.after = dies_at, after
    await life(store, house)
    store.revive()
    await life(store, house)

    assert house.done == [f"pay {ALICE} 120"]


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
async def test_a_process_that_dies_lets_no_more_through(share: float) -> None:
    await check(int(share * await commits()), after=True)


@pytest.mark.slow
@pytest.mark.timeout(600)
async def test_a_process_that_dies_at_any_commit_lets_no_more_through() -> None:
    for number in range(1, await commits() + 1):
        for after in (False, True):
            await check(number, after)
