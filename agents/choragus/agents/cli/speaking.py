"""`choragus send` and `choragus thread`: a person says something to a run, and reads a conversation."""

from __future__ import annotations

from choragus.agents.conversation import history, runs_of
from choragus.agents.following import thread_id
from choragus.agents.inspection import runs
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.speaking import last_run
from choragus.agents.speech import Heard, SendText
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .exit import Exit, Refused
from .session import Session
from .text import block, moment, page, visible


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
    return session.report(fate, f"run {taken} reads it next, says {by}: {session.command('show', taken)}")


async def thread(session: Session) -> Exit:
    """Print all that was said in a conversation."""
    name: str = session.asked.name
    store = session.store
    summaries = await runs(store)
    found = {one.thread for one in summaries if one.name == name and one.thread == thread_id(one.agent, name)}
    if not found:
        summary = await session.run(name)
        found = {summary.thread or summary.run}
    for id in sorted(found):
        outcomes = {one.run: one async for one in runs_of(store, id)}
        run = ""
        async for line in history(store, id):
            if line.run != run:
                run = line.run
                one = outcomes[run]
                print(visible(f"run {run}, agent {one.agent}: {one.status.value}, began {moment(one.started)}"))
            who = f"{line.role} {line.message.name}".strip()
            asked = [f"calls {each.name}" for each in line.message.calls]
            print(visible(f"  {moment(line.at)}  {who}" + (f" ({', '.join(asked)})" if asked else "")))
            print("\n".join(block(line.text.splitlines(), page())))
    return Exit.OK
