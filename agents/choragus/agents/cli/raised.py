"""`choragus raise`: a person gives a run more room before it stands at a ceiling."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError

from choragus.agents.answers import CEILING
from choragus.agents.inspection import approvals
from choragus.agents.limits import CEILINGS
from choragus.agents.message import GUARDRAIL
from choragus.agents.raising import RaiseLimits
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .session import Session

_FLOATS = ("cost_usd", "wall_seconds", "active_seconds")


def declare(commands: Commands) -> None:
    """`raise`."""
    one = command(
        commands,
        "raise",
        raise_limits,
        "Raise ceilings of a run that goes on, to these values and not by them; none can be lowered. A run that\n"
        "waits at a ceiling is decided by its approval: choragus approvals.",
        "choragus raise runs.db 5f2c --cost-usd 2 --steps 80 --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    for name in CEILINGS:
        if name == "per_tool":
            how = "calls of one tool; may be repeated"
            one.add_argument("--per-tool", metavar="TOOL=N", action="append", type=_per_tool, default=[], help=how)
        else:
            kind = float if name in _FLOATS else int
            one.add_argument(f"--{name.replace('_', '-')}", metavar="N", type=kind, help=f"{name} of its Limits")
    add_person(one)
    add_reason(one)
    add_json(one, "what became of it, as JSON")


async def raise_limits(session: Session) -> Exit:
    """Post higher ceilings."""
    asked = session.asked
    limits: dict[str, object] = {
        name: getattr(asked, name) for name in CEILINGS if name != "per_tool" and getattr(asked, name) is not None
    }
    if asked.per_tool:
        limits["per_tool"] = dict(asked.per_tool)
    summary = await session.run(asked.run)
    if not limits:
        raise Refused("nothing to raise: name a ceiling and a value, such as --cost-usd 2")
    session.check_alive(summary, "raise")
    for one in await approvals(session.store, summary.run):
        if one.call.startswith(CEILING):
            changes = [word for name, value in limits.items() for word in ("--set", f"{name}={json.dumps(value)}")]
            how = session.command("approve", one.id, *changes)
            raise Refused(f"run {summary.run} waits at a ceiling, which is decided by its approval: {how}")
    identity = {"method": "command line", "login": session.login}
    message = RaiseLimits(limits=limits, by=session.by, reason=asked.reason, identity=identity)
    fate = await post(session.store, actor_id(GUARDRAIL, summary.run), message)
    told = ", ".join(f"{name} {value}" for name, value in limits.items())
    return session.report(fate, f"run {summary.run} may use more, says {message.by}: {told}", run=summary.run)


def _per_tool(text: str) -> tuple[str, int]:
    name, _, most = text.rpartition("=")
    if not name or not most.isdecimal():
        raise ArgumentTypeError(f"{text!r} raises nothing: write TOOL=N, such as pay=3")
    return name, int(most)
