"""`choragus requeue`: the second chance of a message that could not be handled."""

from __future__ import annotations

from choragus.agents.visit import follow
from choragus.mailbox.turn import Parked

from .command import Commands, add_json, command
from .exit import Exit, Refused
from .parked_id import parked_id
from .session import Session


def declare(commands: Commands) -> None:
    """`requeue`."""
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
    add_json(one, "what became of it, as JSON")


async def requeue(session: Session) -> Exit:
    """Put a parked message back, and say what became of it."""
    parked = await _find(session)
    receiver, message = parked.envelope.receiver, parked.envelope.id
    if not await session.store.requeue(receiver, message):
        raise Refused(f"message {message!r} to {receiver!r} is no longer parked: somebody else has requeued it")
    return session.report(await follow(session.store, receiver, message), f"requeued, and handled by {receiver}")


async def _find(session: Session) -> Parked:
    found = await session.store.parked()
    if session.asked.message is None:
        return session.pick(
            session.asked.parked,
            {parked_id(one.envelope.receiver, one.envelope.id): one for one in found},
            "parked message",
            "parked",
        )
    named = (session.asked.parked, session.asked.message)
    for one in found:
        if (one.envelope.receiver, one.envelope.id) == named:
            return one
    raise Refused(f"no parked message {named[1]!r} to {named[0]!r}: list them with `{session.command('parked')}`")
