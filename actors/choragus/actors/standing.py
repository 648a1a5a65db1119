"""A durable actor as last committed, and the instance that works on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from choragus.mailbox.address import ActorId, key_of
from choragus.mailbox.codec import Record, decode_as, encode
from choragus.mailbox.store import Store
from choragus.mailbox.turn import SYSTEM_STREAM, Envelope, Turn

from .draft import Draft
from .durable import DurableActor


class Around(Protocol):
    """What surrounds a durable actor: the kernel."""

    store: Store
    fence: int
    clock: Callable[[], float]


class Standing:
    """Revision, state and the sender's count of one actor; the bytes of the last completed turn are kept.

    `fresh` gives up the instance only, `forget` everything: both begin again from the last commit.
    """

    def __init__(self, around: Around, id: ActorId, path: str, cls: type[DurableActor[object, object]]) -> None:
        self.id = id
        self.cls = cls
        self.ended = False
        self.is_loaded = False
        self._around = around
        self._path = path
        self._revision = 0
        self._sent = 0
        self._stash: tuple[str, ...] = ()
        self._record: Record | None = None
        self._actor: DurableActor[object, object] | None = None

    async def load(self) -> None:
        """Read what is on disk, when nothing is in memory.

        Raises:
            CorruptRecord: when it is not what was written.
        """
        if not self.is_loaded:
            snapshot = await self._around.store.load(self.id)
            self._revision, self._sent, self._record = snapshot.revision, snapshot.sent, snapshot.state
            self.ended = snapshot.ended
            self._stash = snapshot.stash
            self.is_loaded = True

    def instance(self) -> DurableActor[object, object]:
        """The actor with its state; whatever its class or its stored bytes raise goes to the caller."""
        if self._actor is None:
            actor = self._blank()
            actor.state = actor.initial() if self._record is None else decode_as(self._declared, self._record)
            self._actor = actor
        return self._actor

    def fresh(self) -> None:
        """Give up the instance: the next one begins with the state of the last completed turn."""
        self._actor = None

    @property
    def has_instance(self) -> bool:
        """Whether the actor's object is in memory."""
        return self._actor is not None

    @property
    def is_done(self) -> bool:
        """Whether there is an instance, and it expects hardly anything any more."""
        return self._actor is not None and self._actor.is_done

    def set_back(self, state: Record) -> None:
        """Have the instance begin again with that state, which is on no disk."""
        actor = self._blank()
        actor.state = decode_as(self._declared, state)
        self._actor = actor

    def let_go(self) -> DurableActor[object, object] | None:
        """Give up the instance, for good or until it is needed again; gives the one that there was."""
        actor, self._actor = self._actor, None
        return actor

    def forget(self) -> None:
        """Give up everything in memory."""
        self._actor = None
        self.is_loaded = False

    def stream(self) -> str:
        """The stream that the actor's own lines go to; the system's when its class cannot say."""
        try:
            return self._blank().stream
        except Exception:
            return SYSTEM_STREAM

    def draft(self, consumed: Envelope | None) -> Draft:
        """A new turn upon the last committed one."""
        fence, revision = self._around.fence, self._revision
        return Draft(
            self.id,
            id=f"{self.id}@{fence}.{revision + 1}",
            fence=fence,
            revision=revision,
            sent=self._sent,
            at=self._around.clock(),
            consumed=consumed,
            ended=self.ended,
            stash=self._stash,
        )

    def changed_state(self, actor: DurableActor[object, object]) -> Record | None:
        """The actor's state as it will be stored; None when it is what is stored already.

        Raises:
            TypeError: when it is no longer of the declared class.
            NotStorable: when it holds what cannot be stored.
        """
        if type(actor.state) is not self._declared:
            kind = type(actor.state).__name__
            raise TypeError(f"{self.id}.state is a {kind}: it is declared as {self._declared.__name__}")
        record = encode(actor.state)
        return None if record == self._record else record

    def advance(self, turn: Turn) -> None:
        """The turn is on disk."""
        self._revision = turn.revision + 1
        self._sent = turn.sent
        self.ended = turn.ended
        if turn.stashed or turn.unstashed:
            taken = frozenset(turn.unstashed)
            self._stash = tuple(one for one in (*self._stash, *turn.stashed) if one not in taken)
        self._record = None if turn.ended else turn.state or self._record

    @property
    def _declared(self) -> type:
        return self.cls.__choragus_state__

    def _blank(self) -> DurableActor[object, object]:
        actor = self.cls()
        actor.key = key_of(self.id)
        actor.attach(self._path, self._around)
        return actor
