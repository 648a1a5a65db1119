"""For whom a run is: a name that figures are had by, and that keys do not cross."""

from __future__ import annotations

from choragus.mailbox.store import Store

from .errors import AgentFault
from .inspection import find_summary
from .storable import storable

LONGEST = 200
"""Characters of a tenant's name."""


def check_tenant(tenant: object, is_child: bool) -> str:
    """The tenant, if a run can be for it; empty for none.

    Raises:
        AgentFault: when it is no text, too long, or given for a sub-run.
    """
    if not isinstance(tenant, str) or storable(tenant) != tenant:
        raise AgentFault(f"tenant={tenant!r} must be text: give a name, or '' for none")
    if len(tenant) > LONGEST:
        raise AgentFault(f"tenant has {len(tenant):,} characters, and {LONGEST} are the most: give an id instead")
    if tenant and is_child:
        raise AgentFault(f"tenant={tenant!r} was given for a sub-run, which is for whom its parent is: leave it out")
    return tenant


async def check_same(store: Store, run: str, tenant: str, named: str) -> None:
    """Refuse to hand one tenant's run to another, which has used the same key or thread; nothing without a tenant.

    Raises:
        AgentFault: when the run is for another.
    """
    there = await find_summary(store, run) if tenant else None
    if there is not None and there.tenant != tenant:
        whose = f"tenant {there.tenant!r}" if there.tenant else "no tenant"
        raise AgentFault(f"{named} is that of a run for {whose}, not for {tenant!r}: put the tenant's name in it")
