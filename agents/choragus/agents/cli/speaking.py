"""`choragus send` and `choragus thread`: a person says something to a run, and reads a conversation."""

from __future__ import annotations

from choragus.agents.conversation import history, runs_of
from choragus.agents.following import thread_id
from choragus.agents.inspection import RunSummary, runs
from choragus.agents.message import ORCHESTRATOR
from choragus.agents.speaking import last_run
from choragus.agents.speech import Heard, SendText
from choragus.agents.visit import Handled, post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_person, command
from .exit import Exit, Refused
from .session import Session
from .text import block, counted, moment, page, visible


def declare(commands: Commands) -> None:
    """`send` and `thread`."""
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
    one = command(
        commands,
        "thread",
        thread,
        "All lines of a conversation over its runs, in order. Foreign text stands behind a margin. Without a\n"
        "name, list the conversations of the file.",
        "choragus thread runs.db alice\n  choragus thread runs.db 5f2c",
    )
    one.add_argument("name", metavar="NAME", nargs="?", default="", help="its name, or the id of one of its runs")


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
    """Print all that was said in a conversation; without a name, which conversations there are."""
    name: str = session.asked.name
    summaries = await runs(session.store)
    if not name:
        return _list(session, summaries)
    found = {one.thread for one in summaries if one.name == name and one.thread == thread_id(one.agent, name)}
    if not found and not any(one.run.startswith(name) for one in summaries):
        listing = f"list them with `{session.command('thread')}` or `{session.command('runs')}`"
        raise Refused(f"no conversation or run {name!r} in {session.file}: {listing}")
    if not found:
        summary = await session.run(name)
        found = {summary.thread or summary.run}
    for id in sorted(found):
        await _show(session, id)
    return Exit.OK


def _list(session: Session, summaries: list[RunSummary]) -> Exit:
    """Print each conversation that has a name or more than one run, by the latest of its runs."""
    several: dict[str, list[RunSummary]] = {}
    for one in summaries:
        if one.thread:
            several.setdefault(one.thread, []).append(one)
    if not several:
        print(visible(f"no conversations in {session.file}: a run that was told no more is shown by its id"))
    for of in several.values():
        last = of[-1]
        name = last.name or of[0].run
        print(
            visible(f"{name}  agent {last.agent}, {counted(len(of), 'run')}, the last {last.run} {last.status.value}")
        )
    return Exit.OK


async def _show(session: Session, id: str) -> None:
    outcomes = {one.run: one async for one in runs_of(session.store, id)}
    run = ""
    async for line in history(session.store, id):
        if line.run != run:
            run = line.run
            one = outcomes[run]
            print(visible(f"run {run}, agent {one.agent}: {one.status.value}, began {moment(one.started)}"))
        who = f"{line.role} {line.message.name}".strip()
        asked = [f"calls {each.name}" for each in line.message.calls]
        print(visible(f"  {moment(line.at)}  {who}" + (f" ({', '.join(asked)})" if asked else "")))
        for said in block(line.text.splitlines(), page()):
            print(said)
