"""The ref of a durable actor."""

from __future__ import annotations

import asyncio
from typing import Protocol

from choragus.mailbox.address import ActorId
from choragus.mailbox.turn import Committed, Envelope

from .actor import Actor, table_of
from .asked import Asked
from .deadline import Deadlines
from .event import Events
from .inside import ZOMBIES, check_fence, current_turn
from .item import Landed
from .message import Question, decode_reply
from .ref import ASK_TIMEOUT, SEND_TIMEOUT, M, R, Ref, answer, check_ask, in_time, unhandled
from .writer import Writer


class Post(Protocol):
    """What a durable ref needs from the kernel."""

    deadlines: Deadlines
    writer: Writer
    asked: Asked
    events: Events

    def envelope(self, receiver: ActorId, message: object, *, key: str = "") -> Envelope: ...

    def post(self, envelope: Envelope, done: Landed) -> None: ...

    def check_open(self, receiver: ActorId) -> None: ...

    def look_for_parked(self, receiver: ActorId, message: str) -> None: ...


class DurableRef(Ref[M]):
    """Addresses a durable actor by type and key, whether it is in memory or not."""

    __slots__ = ("_id", "_post", "_table")

    def __init__(self, id: ActorId, actor: type[Actor[M]], post: Post) -> None:
        self._id = id
        self._table = table_of(actor)
        self._post = post

    @property
    def path(self) -> str:
        return self._id

    @property
    def id(self) -> ActorId:
        return self._id

    def __repr__(self) -> str:
        return f"<Ref {self._id}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DurableRef) and other._id == self._id

    def __hash__(self) -> int:
        return hash(self._id)

    def tell(self, message: M) -> None:
        self._check(message)
        turn = current_turn()
        if turn is not None:
            turn.send(self._id, message)
            return
        self._post.writer.check_room(self._id)
        self._post.post(self._post.envelope(self._id, message), _ignore)

    async def send(self, message: M, *, timeout: float = SEND_TIMEOUT) -> None:
        self._check(message)
        turn = current_turn()
        if turn is not None:
            turn.send(self._id, message)
            return
        envelope = self._post.envelope(self._id, message)
        await in_time(self._write(envelope), timeout, self._id, message)

    async def _write(self, envelope: Envelope) -> None:
        await self._post.writer.has_room()
        written = self._post.asked.written()
        self._post.post(envelope, lambda _: None if written.done() else written.set_result(None))
        await written

    async def ask(self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        if ZOMBIES:
            check_fence(message)
        check_ask(self._id, message, type(message) in self._table, timeout)
        self._post.check_open(self._id)
        self._post.writer.check_room(self._id)
        envelope = self._post.envelope(self._id, message, key=key)
        reply = self._post.asked.expect(self._id, envelope.id)
        self._post.post(envelope, lambda result: self._appended(envelope, type(message), reply, result))
        return await answer(self._post.deadlines, reply, timeout, self._id, message)  # type: ignore[return-value]  # the handler's type

    def _appended(self, envelope: Envelope, message: type, reply: asyncio.Future[object], result: Committed) -> None:
        """Asked before under this key: take the first reply, or wait with the one who asked first."""
        known = result.known.get(envelope.id)
        if known is None:
            return
        asked = self._post.asked
        asked.leave(self._id, envelope.id, reply)
        if known.reply is not None:
            asked.leave(self._id, known.id, reply)
            if not reply.done():
                reply.set_result(decode_reply(message, known.reply))
        elif not reply.done() and asked.joins(self._id, known.id, reply):
            # The reply may be in this very batch, or the message parked: ask the store once more, now that we listen.
            self._post.post(envelope, lambda result: self._appended(envelope, message, reply, result))
            self._post.look_for_parked(self._id, known.id)

    def _check(self, message: object) -> None:
        if ZOMBIES:
            check_fence(message)
        if type(message) not in self._table:
            raise unhandled(self._id, message)


def _ignore(result: Committed) -> None:
    """A tell promises nothing."""
