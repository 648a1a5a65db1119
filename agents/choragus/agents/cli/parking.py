"""`choragus parked` and `requeue`: messages that could not be handled, and their second chance."""

from __future__ import annotations

import hashlib

from choragus.agents.visit import follow
from choragus.mailbox.turn import Parked

from .command import Commands, command
from .exit import Exit, Refused
from .session import Session
from .text import block, moment, page, visible


def declare(commands: Commands) -> None:
    """`parked` and `requeue`."""
    command(
        commands,
        "parked",
        show_parked,
        "A message that its receiver fails on again and again is parked, so that it blocks nothing. Mend\n"
        "the cause, then requeue it.",
        "choragus parked runs.db",
    )
    one = command(
        commands,
        "requeue",
        requeue,
        "Put a parked message at the end of its mailbox, as if it had just been sent.",
        "choragus requeue runs.db 3fa9c1d2\n  choragus requeue runs.db choragus.memory/5f2c9a1b7d3e "
        "'choragus.orchestrator/5f2c9a1b7d3e#4'",
    )
    one.add_argument("parked", metavar="ID", help="as in `choragus parked`, or its beginning; or the receiver")
    one.add_argument("message", metavar="MESSAGE", nargs="?", help="with a receiver: the message's id")


async def show_parked(session: Session) -> Exit:
    """Print the parked messages, oldest first, each with the command that requeues it."""
    found = await session.store.parked()
    if not found:
        print(visible(f"no parked messages in {session.file}"))
    print("\n\n".join("\n".join(_lines(session, one)) for one in found), end="\n" if found else "")
    return Exit.OK


async def requeue(session: Session) -> Exit:
    """Put a parked message back, and say what became of it."""
    parked = await _find(session)
    receiver, message = parked.envelope.receiver, parked.envelope.id
    if not await session.store.requeue(receiver, message):
        raise Refused(f"message {message!r} to {receiver!r} is no longer parked: somebody else has requeued it")
    return session.report(await follow(session.store, receiver, message), f"requeued, and handled by {receiver}")


def parked_id(parked: Parked) -> str:
    """The short name of a parked message: 8 hexadecimal digits."""
    named = f"{parked.envelope.receiver}\n{parked.envelope.id}"
    return hashlib.sha256(named.encode(errors="surrogatepass")).hexdigest()[:8]


async def _find(session: Session) -> Parked:
    found = await session.store.parked()
    if session.asked.message is None:
        return session.pick(session.asked.parked, {parked_id(one): one for one in found}, "parked message", "parked")
    named = (session.asked.parked, session.asked.message)
    for one in found:
        if (one.envelope.receiver, one.envelope.id) == named:
            return one
    raise Refused(f"no parked message {named[1]!r} to {named[0]!r}: list them with `{session.command('parked')}`")


def _lines(session: Session, parked: Parked) -> list[str]:
    envelope = parked.envelope
    return [
        visible(f"{parked_id(parked)}  {envelope.record.tag} to {envelope.receiver}, parked {moment(parked.at)}"),
        visible(f"  message {envelope.id}"),
        visible(f"  from {envelope.sender or 'nobody'}"),
        *block([parked.reason], page()),
        f"  {session.command('requeue', parked_id(parked))}",
    ]
