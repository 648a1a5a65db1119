"""`choragus rules --revoke`: the end of a standing rule."""

from __future__ import annotations

import time

from choragus.agents.rulebook import MAIN, RULEBOOK, RevokeRule, rules
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .exit import Exit
from .session import Session


async def revoke(session: Session) -> Exit:
    """Post that a rule is taken back."""
    now = time.time()
    found = {one.id: one for one in await rules(session.store) if one.expires is None or one.expires > now}
    rule = session.pick(session.asked.revoke, found, "rule", "rules")
    fate = await post(session.store, actor_id(RULEBOOK, MAIN), RevokeRule(rule.id, session.by))
    return session.report(fate, f"rule {rule.id} is taken back by {session.by}")
