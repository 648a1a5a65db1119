"""`choragus fork`: a new run from the past of another."""

from __future__ import annotations

import msgspec

from choragus.agents.errors import UnknownRun
from choragus.agents.fork import fork_id, parent, standing_at
from choragus.agents.message import ORCHESTRATOR, ForkRun
from choragus.agents.version.record import REFUSED
from choragus.agents.visit import post
from choragus.mailbox.address import actor_id

from .command import RUN, Commands, add_json, command
from .exit import Exit, Refused
from .session import Session


def declare(commands: Commands) -> None:
    """`fork`."""
    one = command(
        commands,
        "fork",
        fork,
        "Begin a new run with the conversation that another had at one point of its past; that one goes on\n"
        "untouched. Calls that had their results are not made again, what was under way is not run from\n"
        "the fork, and what comes behind is asked for and approved anew. Limits count from nothing on. The\n"
        "process that owns the file begins it, or the next one that opens it with the run's agent.",
        "choragus fork runs.db 5f2c --at 17 --key 5f2c-again",
    )
    one.add_argument("run", metavar="RUN", help=RUN)
    where = "a position, as `choragus show` prints it in the column AT; by default the last one before the run's end"
    one.add_argument("--at", metavar="N", type=int, help=where)
    one.add_argument("--key", metavar="KEY", default="", help="the new run's key: the same again begins nothing")
    onto = "go on with the agent that the run was refused for when the file was last opened"
    one.add_argument("--changed", action="store_true", help=onto)
    one.add_argument("--by", metavar="NAME", help="who forks; the login name by default")
    add_json(one, "what became of it, as JSON")


async def fork(session: Session) -> Exit:
    """Post a fork, bound to the position as it is printed here."""
    asked, store = session.asked, session.store
    by = session.by
    try:
        of = await parent(store, asked.run, session.file)
    except UnknownRun:
        of = await session.run(asked.run)  # says how many begin so
    id, there = await fork_id(store, of, asked.at, asked.key)
    if there is not None:
        session.result("known", f"run {id} is that fork already: run {of.run} at {there.position}", run=id)
        return Exit.OK
    standing = await standing_at(store, of.run, asked.at)
    position = standing.position
    session.say(f"run {id}: run {of.run} at {position}, step {standing.step}")
    identity = await _now(session, of.run) if asked.changed else of.manifest
    message = ForkRun(run=of.run, at=position, agent=of.agent, key=asked.key, manifest=identity, by=by)
    fate = await post(store, actor_id(ORCHESTRATOR, id), message)
    return session.report(fate, f"forked by {by}: {session.command('show', id)}", run=id, of=of.run, at=position)


async def _now(session: Session, run: str) -> str:
    """The identity that the run was refused for: the fork begins on that and no other."""
    row = await session.store.view(REFUSED, run)
    refused: dict[str, object] = {} if row is None else msgspec.json.decode(row.body or b"{}")
    now = str(refused.get("now", ""))
    if not now:
        raise Refused(f"run {run} is not refused for another version of its agent: fork it without --changed")
    return now
