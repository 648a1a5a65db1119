"""Which member of a group gets a message: pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Generic, Protocol, TypeAlias, TypeVar

import attrs

M_contra = TypeVar("M_contra", contravariant=True)

MASK = 2**64 - 1


class Member(Protocol):
    """A member of a group, as far as routings see it."""

    @property
    def path(self) -> str:
        """Its address, the same over restarts."""
        ...

    @property
    def load(self) -> int:
        """How many messages wait there, and the one in hand."""
        ...


class Choice(Protocol[M_contra]):
    """A routing that gives each message to one member; write your own as a class with this method."""

    def choose(self, message: M_contra, members: Sequence[Member], turn: int) -> int:
        """The index of the member that gets it.

        Args:
            members: those that live, at least one.
            turn: how many messages were routed before.
        """
        ...


@attrs.frozen
class RoundRobin:
    """Each in turn.

    >>> [RoundRobin().choose("hi", [..., ..., ...], turn) for turn in range(4)]
    [0, 1, 2, 0]
    """

    def choose(self, message: object, members: Sequence[Member], turn: int) -> int:
        """The next one."""
        return turn % len(members)


@attrs.frozen
class LeastLoaded:
    """Whoever has the fewest messages, the one in hand included; among equals the first.

    It looks at every member for every message. Durable members count as having none.
    """

    def choose(self, message: object, members: Sequence[Member], turn: int) -> int:
        """The one with the least to do."""
        loads = [member.load for member in members]
        return loads.index(min(loads))


@attrs.frozen
class ConsistentHash(Generic[M_contra]):
    """Messages of one key go to one member; when members come or go, only as many keys move as must.

    `ConsistentHash(key=lambda message: message.user)`. Rendezvous hashing over the members' paths: with n members one
    more takes over about 1/(n+1) of the keys, one less gives up its own, and no other key moves. The same in every
    process. State that a member keeps for a key does not move with it.

    Args:
        key: what the message is about, as text.
    """

    key: Callable[[M_contra], str]

    def choose(self, message: M_contra, members: Sequence[Member], turn: int) -> int:
        """The one whose path and the key give the highest number.

        Raises:
            TypeError: when the key is no text.
        """
        key = self.key(message)
        if not isinstance(key, str):
            raise TypeError(f"the key of {message!r} is {key!r}: let key= give text, as in str(...)")
        number = stable(key)
        scores = [_mixed(number ^ stable(member.path)) for member in members]
        return scores.index(max(scores))


@attrs.frozen
class Broadcast:
    """All of them, each. An ask is refused: it has one reply."""


Routing: TypeAlias = Choice[M_contra] | Broadcast


@lru_cache(maxsize=4096)
def stable(text: str) -> int:
    """64 bits of the text, the same in every process, unlike `hash`."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mixed(number: int) -> int:
    """Every bit of 64 depends on every other (the finalizer of splitmix64)."""
    number = ((number ^ (number >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    number = ((number ^ (number >> 27)) * 0x94D049BB133111EB) & MASK
    return number ^ (number >> 31)
