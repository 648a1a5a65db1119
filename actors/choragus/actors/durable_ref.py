"""The ref of a durable actor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from choragus.mailbox.address import ActorId
from choragus.mailbox.codec import decode
from choragus.mailbox.turn import Committed, Envelope, Rejected

from .actor import Actor, table_of
from .errors import NotCommitted
from .inside import current_turn
from .message import Request
from .ref import ASK_TIMEOUT, M, R, Ref, answer, check_ask, unhandled
from .writer import Writer


class Post(Protocol):
    """What a durable ref needs from the kernel."""

    loop: asyncio.AbstractEventLoop
    writer: Writer

    def envelope(self, receiver: ActorId, message: object, *, key: str = "") -> Envelope: ...

    def post(self, envelope: Envelope, done: Callable[[Committed | Rejected], None]) -> None: ...

    def expect(self, envelope: Envelope) -> asyncio.Future[object]: ...

    def join(self, envelope: Envelope, earlier: str, future: asyncio.Future[object]) -> None: ...


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

    async def send(self, message: M) -> None:
        self._check(message)
        turn = current_turn()
        if turn is not None:
            turn.send(self._id, message)
            return
        await self._post.writer.has_room()
        appended: asyncio.Future[Committed | Rejected] = self._post.loop.create_future()
        self._post.post(self._post.envelope(self._id, message), lambda result: _settle(appended, result))
        if isinstance(await appended, Rejected):
            raise NotCommitted(f"the message to {self._id} was not written: send it again")

    async def ask(self, message: Request[R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> R:
        check_ask(self._id, message, type(message) in self._table, timeout)
        self._post.writer.check_room(self._id)
        envelope = self._post.envelope(self._id, message, key=key)
        reply = self._post.expect(envelope)
        self._post.post(envelope, lambda result: self._appended(envelope, reply, result))
        return await answer(self._post.loop, reply, timeout, self._id, message)  # type: ignore[return-value]  # the handler's type

    def _appended(self, envelope: Envelope, reply: asyncio.Future[object], result: Committed | Rejected) -> None:
        known = result.known.get(envelope.id) if isinstance(result, Committed) else None
        if known is None or reply.done():
            return
        if known.reply is None:
            self._post.join(envelope, known.id, reply)
        else:
            reply.set_result(decode(known.reply))

    def _check(self, message: object) -> None:
        if type(message) not in self._table:
            raise unhandled(self._id, message)


def _settle(future: asyncio.Future[Committed | Rejected], result: Committed | Rejected) -> None:
    if not future.done():
        future.set_result(result)


def _ignore(result: Committed | Rejected) -> None:
    """A tell promises nothing."""
