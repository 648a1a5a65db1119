"""`choragus pause` and `resume`: a person holds a run, or lets it go on."""

from __future__ import annotations

from choragus.agents.control import PauseRun, ResumeRun
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.visit import Handled, post, recorded
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .session import Session


def declare(commands: Commands) -> None:
    """`pause`, `resume` and its other name."""
    one = command(
        commands,
        "pause",
        pause,
        "Start nothing new in a run and its sub-runs: what is in flight ends and is recorded, and a call\n"
        "that is approved meanwhile runs when the run goes on. It stays paused over restarts.",
        "choragus pause runs.db 5f2c --by mia --reason 'odd orders'",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    add_person(one)
    add_reason(one)
    add_json(one, "what became of it, as JSON")
    for name, also in (("resume", ""), ("unpause", " The same as resume.")):
        one = command(
            commands,
            name,
            resume,
            f"Go on with a run, and its sub-runs, that somebody has paused.{also}",
            f"choragus {name} runs.db 5f2c --by mia",
        )
        one.add_argument("run", metavar="RUN", help=RUN)
        add_person(one)
        add_json(one, "what became of it, as JSON")


async def pause(session: Session) -> Exit:
    """Post that nothing new starts in a run."""
    summary = await session.run(session.asked.run)
    session.check_alive(summary, "pause")
    message = PauseRun(by=session.by, reason=session.asked.reason)
    fate = await post(session.store, actor_id(ORCHESTRATOR, summary.run), message)
    if fate == Handled(False):
        raise Refused(f"run {summary.run} has ended just now: there is nothing to pause")
    return session.report(
        fate, f"run {summary.run} is paused by {message.by}: what is in flight ends, nothing starts", run=summary.run
    )


async def resume(session: Session) -> Exit:
    """Post that a run goes on."""
    summary = await session.run(session.asked.run)
    session.check_alive(summary, "resume")
    message, receiver = ResumeRun(by=session.by), actor_id(ORCHESTRATOR, summary.run)
    if not summary.paused and not await recorded(session.store, receiver, PauseRun):
        raise Refused(f"run {summary.run} was not paused by itself (it goes on): there is nothing to resume")
    fate = await post(session.store, receiver, message)
    if fate == Handled(False):
        how = f"it is {summary.paused}" if summary.paused else "it goes on"
        raise Refused(f"run {summary.run} was not paused by itself ({how}): there is nothing to resume")
    return session.report(fate, f"run {summary.run} goes on, says {message.by}", run=summary.run)
