"""A message from a process beside the owner of a file: posted, and what became of it.

A visitor never runs an actor. It puts a message into a durable mailbox, where the owner finds it within 40 ms, or the
next owner when it opens the file.
"""

from __future__ import annotations

import time
from typing import TypeAlias, TypeVar
from uuid import uuid4

import anyio
import attrs

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import decode, encode, tag_of
from choragus.mailbox.store import Store
from choragus.mailbox.turn import Envelope

T = TypeVar("T")

PATIENCE = 2.0
"""Seconds that a visitor waits for the owner to take a message up."""

LOOK = 0.02
"""Seconds between two looks."""

WINDOW = 10_000
"""Messages of one mailbox that are looked through."""


@attrs.frozen
class Handled:
    """The actor has handled it, and that is on disk; `reply` is what the handler gave back."""

    reply: object


@attrs.frozen
class SetAside:
    """The actor could not handle it, and it is parked."""

    reason: str


@attrs.frozen
class Recorded:
    """It is on disk and waits; so far the actor has failed on it `attempts` times."""

    attempts: int


Fate: TypeAlias = Handled | SetAside | Recorded


async def post(store: Store, receiver: ActorId, message: object) -> Fate:
    """Put a message into a mailbox and wait up to PATIENCE for what becomes of it.

    Raises:
        NotStorable: when the message cannot be written; nothing was.
    """
    id = f"visitor:{uuid4().hex}"
    envelope = Envelope(id=id, receiver=receiver, sender="visitor", record=encode(message), key=id)
    await store.append([envelope])
    fate = await follow(store, receiver, id)
    if not isinstance(fate, Handled):
        return fate
    # The key keeps the reply: appending the same once more writes nothing and gives it back.
    known = (await store.append([envelope])).known.get(id)
    return Handled(None if known is None or known.reply is None else decode(known.reply))


async def follow(store: Store, receiver: ActorId, message: str) -> Fate:
    """Wait up to PATIENCE until a message has left its mailbox; the reply is not looked up."""
    end = time.monotonic() + PATIENCE
    while waits := [one for one in await _waiting(store, receiver) if one.id == message]:
        if time.monotonic() >= end:
            return Recorded(waits[0].attempts)
        await anyio.sleep(LOOK)
    for parked in await store.parked():
        if (parked.envelope.receiver, parked.envelope.id) == (receiver, message):
            return SetAside(parked.reason)
    return Handled(None)


async def recorded(store: Store, receiver: ActorId, kind: type[T]) -> list[T]:
    """The messages of a class that wait in a mailbox, the oldest first."""
    tag = tag_of(kind)
    found = [decode(one.record) for one in await _waiting(store, receiver) if one.record.tag == tag]
    return [one for one in found if isinstance(one, kind)]


async def _waiting(store: Store, receiver: ActorId) -> list[Envelope]:
    return await store.fetch(receiver, WINDOW, time.time())
