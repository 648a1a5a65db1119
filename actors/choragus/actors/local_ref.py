"""The refs of volatile actors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from .cell import Cell
from .errors import MailboxFull, SystemStopped
from .host import Host
from .inside import CURRENT, SPEAKER, ZOMBIES, check_fence, current_turn
from .message import Question
from .pipe import Adapted
from .ref import ASK_TIMEOUT, SEND_TIMEOUT, M, R, Ref, check_ask, in_time, unhandled
from .reply import Reply
from .status import Exit

T = TypeVar("T")


class LocalRef(Ref[M]):
    """The ref of a volatile actor."""

    __slots__ = ("_cell",)

    def __init__(self, cell: Cell) -> None:
        self._cell = cell

    @property
    def path(self) -> str:
        return self._cell.path

    @property
    def cell(self) -> Cell:
        """The actor's cell, for the runtime."""
        return self._cell

    def is_of(self, host: Host) -> bool:
        """Whether its actor lives, or lived, in that system."""
        return self._cell.host is host

    def __repr__(self) -> str:
        return f"<Ref {self._cell.path}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LocalRef) and other._cell is self._cell

    def __hash__(self) -> int:
        return hash(id(self._cell))

    def tell(self, message: M) -> None:
        cell = self._cell
        if type(message) not in cell.table:
            raise unhandled(cell.path, message)
        if ZOMBIES:
            check_fence(message)
        if CURRENT.get() is not None and (turn := current_turn()) is not None:
            speaker = SPEAKER.get()
            turn.after_commit(lambda: cell.put_late((message, None, speaker)))
        else:
            cell.put((message, None, SPEAKER.get()))

    async def send(self, message: M, *, timeout: float = SEND_TIMEOUT) -> None:
        if current_turn() is not None:
            self.tell(message)
            return
        cell = self._cell
        if type(message) not in cell.table:
            raise unhandled(cell.path, message)
        if ZOMBIES:
            check_fence(message)
        delivery = (message, None, SPEAKER.get())
        if timeout > 0 and not cell.makes_wait:
            cell.put(delivery)
        else:
            await in_time(cell.put_when_room(delivery), timeout, cell.path, message)

    def ask(self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> Reply[R]:
        cell = self._cell
        host = cell.host
        kind = type(message)
        if kind not in cell.table or not timeout > 0 or key or host.stopped or CURRENT.get() is not None:
            self._check(message, timeout, key)
        if ZOMBIES:
            check_fence(message)
        reply: Reply[object] = Reply(loop=host.loop)
        reply.asked = cell
        reply.kind = kind
        speaker = SPEAKER.get()
        if speaker is not None:
            cell.asked_by(speaker, reply)
        try:
            cell.put((message, reply, speaker))
        except MailboxFull:
            reply.cancel()  # nobody waits for it
            raise
        host.deadlines.add(timeout, reply)
        return reply  # type: ignore[return-value]  # the handler's type

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        return self._cell.when_ended(action)

    def _check(self, message: object, timeout: float, key: str) -> None:
        cell = self._cell
        check_ask(cell.path, message, type(message) in cell.table, timeout)
        if key:
            raise ValueError(f"{cell.path} keeps nothing on disk: key={key!r} is for durable actors")
        if cell.host.stopped:
            raise SystemStopped(f"the system has stopped; {cell.path} cannot be asked")


class AdapterRef(Ref[T]):
    """A ref under which an actor takes messages that are not its own: each is translated when its turn has come."""

    __slots__ = ("_cell", "_translate")

    def __init__(self, cell: Cell, translate: Callable[[T], object]) -> None:
        self._cell = cell
        self._translate = translate

    @property
    def path(self) -> str:
        return self._cell.path

    def __repr__(self) -> str:
        return f"<Ref {self._cell.path} (adapted)>"

    def tell(self, message: T) -> None:
        if ZOMBIES:
            check_fence(message)
        turn = current_turn()
        delivery = (Adapted(self._translate, message), None, SPEAKER.get())
        if turn is None:
            self._cell.put(delivery)
        else:
            turn.after_commit(lambda: self._cell.put_late(delivery))

    async def send(self, message: T, *, timeout: float = SEND_TIMEOUT) -> None:
        if current_turn() is not None:
            self.tell(message)
        else:
            if ZOMBIES:
                check_fence(message)
            sending = self._cell.put_when_room((Adapted(self._translate, message), None, SPEAKER.get()))
            await in_time(sending, timeout, self._cell.path, message)

    def ask(self, message: Question[T, R], *, timeout: float = ASK_TIMEOUT, key: str = "") -> Reply[R]:
        raise TypeError(f"{self.path} cannot be asked through an adapter: tell it, and send a ref to reply to")

    def when_ended(self, action: Callable[[Exit], None]) -> Callable[[], None]:
        return self._cell.when_ended(action)
