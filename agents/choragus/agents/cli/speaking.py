"""`choragus send`: a person says something to a run."""

from __future__ import annotations

from choragus.agents.message import ORCHESTRATOR
from choragus.agents.speaking import last_run
from choragus.agents.speech import Heard, SendText
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, add_person, command
from .exit import Exit, Refused
from .session import Session


def declare(commands: Commands) -> None:
    """`send`."""
    one = command(
        commands,
        "send",
        send,
        "A run that goes on reads the text with its next step. When it has ended, the next run of its\n"
        "conversation begins with it. Policies look at the text as at a goal.",
        "choragus send runs.db 5f2c 'And the other invoice?' --by mia",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    one.add_argument("text", metavar="TEXT", help="what to say")
    one.add_argument("--key", metavar="KEY", default="", help="the same again says nothing twice")
    add_person(one)
    add_json(one, "what became of it, as JSON")


async def send(session: Session) -> Exit:
    """Post a text to the last run of the conversation."""
    asked, by = session.asked, session.by
    summary = await session.run(asked.run)
    run = (summary.thread and await last_run(session.store, summary.thread)) or summary.run
    message = SendText(text=asked.text, by=by, key=asked.key)
    fate = await post(session.store, actor_id(ORCHESTRATOR, run), message)
    while isinstance(fate, Handled) and isinstance(fate.reply, Heard) and not fate.reply.is_taken:
        if fate.reply.reason:
            raise Refused(f"run {run} does not take the text: {fate.reply.reason}")
        run = fate.reply.run
        fate = await post(session.store, actor_id(ORCHESTRATOR, run), message)
    taken = fate.reply.run if isinstance(fate, Handled) and isinstance(fate.reply, Heard) else run
    return session.report(fate, f"run {taken} reads it next, says {by}: {session.command('show', taken)}", run=taken)
