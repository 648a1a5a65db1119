"""A ref that stands for a group: each message goes to one of them, or to all."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from typing import Generic

import attrs

from choragus.mailbox.errors import ChoragusError

from .errors import ActorStopped, BroadcastAsked
from .event import Events
from .inside import current_turn
from .message import Question
from .peek import events_of, is_open, load, lost, takes
from .ref import ASK_TIMEOUT, SEND_TIMEOUT, M, R, Ref, unhandled
from .routing import Broadcast, Choice, RoundRobin, Routing
from .topic import tell_all


@attrs.frozen(eq=False)
class Routee(Generic[M]):
    """One ref of a group, for routings to look at."""

    ref: Ref[M]
    path: str

    @property
    def load(self) -> int:
        """How many messages wait there, and the one in hand."""
        return load(self.ref)


class Router(Ref[M]):
    """A ref that passes each message straight on to a member of a group; there is no actor and no mailbox in between.

    `Router([first, second, third])` takes turns; `Router(refs, ConsistentHash(key=lambda message: message.user))` sends
    all that is about one user to one member. A member that has ended is passed over for as long as it is; one that
    restarts keeps its place and its mail. When all have ended the router is as the ref of an actor that has: what it is
    told is a dead letter, and an ask raises ActorStopped. Messages to one member keep their order, those to different
    members have none.

    With `Broadcast` each message goes to all members. One without room does not get it, the others do, and its loss is
    a DeadLetter event; `send` waits for room at each.

    It supervises nobody: see `choragus.supervision.Pool` for a group that is started and restarted as one.

    Args:
        refs: the members, in order.
        routing: who gets what; each in turn by default.
        path: how it calls itself.

    Raises:
        ValueError: when there is no member.
    """

    __slots__ = ("_members", "_path", "_routing", "_turn")

    def __init__(self, refs: Iterable[Ref[M]], routing: Routing[M] | None = None, *, path: str = "router") -> None:
        self._members = tuple(Routee(ref, ref.path) for ref in refs)
        self._routing: Routing[M] = check_routing(routing)
        self._path = path
        self._turn = 0
        if not self._members:
            raise ValueError(f"{path} has no members: give it at least one ref")

    @property
    def path(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"<Router {self._path}>"

    @property
    def members(self) -> tuple[Ref[M], ...]:
        """Those that have not ended, in order."""
        return tuple(one.ref for one in self._group() if is_open(one.ref))

    @property
    def events(self) -> Events | None:
        """The event stream of its members' system, if they are of one."""
        group = self._group()
        return events_of(group[0].ref) if group else None

    def takes(self, message: type) -> bool:
        """Whether a member takes messages of that type."""
        return any(takes(one.ref, message) for one in self._group())

    def tell(self, message: M) -> None:
        if isinstance(self._routing, Broadcast):
            self._check(message)
            members = self.members
            if members:
                tell_all(members, message)
            else:
                lost(self, message)
            return
        member = self._member(self._routing, message)
        if member is None:
            lost(self, message)
        else:
            member.tell(message)

    async def send(self, message: M, *, timeout: float = SEND_TIMEOUT) -> None:
        if current_turn() is not None:
            self.tell(message)
        elif isinstance(self._routing, Broadcast):
            self._check(message)
            await self._send_all(message, timeout)
        else:
            member = self._member(self._routing, message)
            if member is None:
                raise ActorStopped(self.path)
            await member.send(message, timeout=timeout)

    def ask(
        self, message: Question[M, R], *, timeout: float = ASK_TIMEOUT, key: str = ""
    ) -> Coroutine[object, None, R]:
        """Ask the member that is chosen now; its errors, and these.

        Raises:
            ActorStopped: at once, when all have ended.
            BroadcastAsked: when each message goes to all.
        """
        if isinstance(self._routing, Broadcast):
            raise BroadcastAsked(self.path)
        member = self._member(self._routing, message)  # type: ignore[arg-type]  # a request that the members take
        if member is None:
            raise ActorStopped(self.path)
        return member.ask(message, timeout=timeout, key=key)

    def _group(self) -> Sequence[Routee[M]]:
        """All members, also those that have ended."""
        return self._members

    def _member(self, routing: Choice[M], message: M) -> Ref[M] | None:
        """Who gets it; None when all have ended."""
        group = self._group()
        turn = self._turn
        self._turn += 1
        for _ in range(2):
            if not group:
                return None
            chosen = group[routing.choose(message, group, turn)].ref
            if is_open(chosen):
                return chosen
            group = [one for one in group if is_open(one.ref)]
        return None

    def _check(self, message: M) -> None:
        if not self.takes(type(message)) and self._group():
            raise unhandled(self.path, message)

    async def _send_all(self, message: M, timeout: float) -> None:
        members = self.members
        if not members:
            raise ActorStopped(self.path)
        sent = await asyncio.gather(
            *(member.send(message, timeout=timeout) for member in members), return_exceptions=True
        )
        for member, error in zip(members, sent, strict=True):
            if isinstance(error, ChoragusError):
                lost(member, message)
            elif error is not None:
                raise error


def check_routing(routing: Routing[M] | None) -> Routing[M]:
    """The routing, or the default.

    Raises:
        TypeError: when it is none.
    """
    if routing is None:
        return RoundRobin()
    if not isinstance(routing, Broadcast) and not callable(getattr(routing, "choose", None)):
        raise TypeError(f"routing={routing!r} is none: use RoundRobin(), LeastLoaded() or another")
    return routing
