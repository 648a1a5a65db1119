"""`choragus drain`: the process that owns a file is asked to come to an end in good order."""

from __future__ import annotations

import os
import time

import anyio

from choragus.agents.draining import DOORKEEPER, MAIN, Drain
from choragus.agents.inspection import runs
from choragus.agents.state import Status
from choragus.agents.visit import Recorded, post
from choragus.mailbox.address import actor_id
from choragus.mailbox.reader import Reader

from .command import Commands, add_json, add_person, add_reason, command
from .exit import Exit, Refused
from .owner import owner_of, told
from .session import Session
from .text import counted

LOOK = 0.1
"""Seconds between two looks, with --wait."""


def declare(commands: Commands) -> None:
    """`drain`."""
    one = command(
        commands,
        "drain",
        drain,
        "Ask the process that owns the file to begin no run any more. What runs goes on to its end, or to where\n"
        "it waits for a person; choragus serve ends then. It is about that process alone: the next one to\n"
        "open the file begins runs again.",
        "choragus drain runs.db --by mia --wait 60",
    )
    one.add_argument("--wait", metavar="SECONDS", type=float, help="wait so long for the process to let go of the file")
    add_person(one)
    add_reason(one)
    add_json(one, "what became of it, as JSON")


async def drain(session: Session) -> Exit:
    """Post it to the owner, and wait for the owner's end if that is asked for."""
    owner = _owner(session)
    if owner is None:
        raise Refused(f"nobody owns {session.file} ({_told(session)}): there is nothing to drain")
    if owner == os.getpid():
        raise Refused(f"{session.file} is owned by this very process: await runtime.drain()")
    going = [one for one in await runs(session.store) if one.status is Status.RUNNING]
    message = Drain(by=session.by, pid=owner, reason=session.asked.reason)
    fate = await post(session.store, actor_id(DOORKEEPER, MAIN), message)
    what = f"process {owner} begins nothing new, says {message.by}: {counted(len(going), 'run')} running now"
    code = session.report(fate, what)
    if session.asked.wait is None or isinstance(fate, Recorded):
        return code
    end = time.monotonic() + session.asked.wait
    while _owner(session) == owner:
        if time.monotonic() >= end:
            session.say(f"process {owner} still has the file after {session.asked.wait:g} s")
            return Exit.PROBLEMS
        await anyio.sleep(LOOK)
    session.say(f"process {owner} has let go of the file")
    return code


def _owner(session: Session) -> int | None:
    """The process that has the file open, as far as it is known."""
    with Reader(session.file) as reader:
        owner = owner_of(reader)
    return owner.pid if owner is not None and owner.lives else None


def _told(session: Session) -> str:
    with Reader(session.file) as reader:
        return told(owner_of(reader))
