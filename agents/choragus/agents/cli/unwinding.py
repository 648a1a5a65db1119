"""`choragus unwind`: a person has taken back what a run has done."""

from __future__ import annotations

from choragus.agents.message import TOOL_GATEWAY, UnwindRun
from choragus.agents.state import Status
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, command
from .exit import Exit, Refused
from .session import Session


def declare(commands: Commands) -> None:
    """`unwind`."""
    one = command(
        commands,
        "unwind",
        unwind,
        "Take back what the calls of a run have done that ended without a result, the last first: each call\n"
        "whose tool says how. The process that owns the file does it, or the next one that opens it.",
        "choragus unwind runs.db 5f2c --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    add_json(one, "what became of it, as JSON")


async def unwind(session: Session) -> Exit:
    """Post that what a run has done is to be taken back."""
    summary = await session.run(session.asked.run)
    if not summary.status.is_final:
        raise Refused(f"run {summary.run} goes on ({summary.status.value}): end it first, with `choragus cancel`")
    if summary.status is Status.COMPLETED:
        raise Refused(f"run {summary.run} has completed: only one that ended without a result is unwound")
    fate = await post(session.store, actor_id(TOOL_GATEWAY, summary.run), UnwindRun(by=session.by))
    if isinstance(fate, Handled) and fate.reply:
        raise Refused(str(fate.reply))
    return session.report(fate, f"run {summary.run} is unwound by {session.by}: see `choragus show`", run=summary.run)
