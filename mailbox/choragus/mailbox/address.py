"""Where a durable actor lives: its type and key as one text, and the shard that they fall into."""

from __future__ import annotations

from functools import lru_cache
from typing import NewType
from zlib import crc32

ActorId = NewType("ActorId", str)
"""`type/key`, for example `bank.account/alice`. The type holds no slash; the key may."""

SHARDS = 256
"""How many shards a file is divided into; fixed when the file is created."""


def actor_id(type_name: str, key: str) -> ActorId:
    """The address of the actor of that type and key.

    >>> actor_id("bank.account", "alice")
    'bank.account/alice'
    """
    return ActorId(f"{type_name}/{key}")


def type_of(actor: ActorId) -> str:
    """The type's registered name."""
    return actor.partition("/")[0]


def key_of(actor: ActorId) -> str:
    """The key within the type."""
    return actor.partition("/")[2]


@lru_cache(maxsize=4096)
def shard_of(actor: ActorId, shards: int = SHARDS) -> int:
    """The shard, from the key alone: actors that share a key (those of one run) share a shard.

    >>> shard_of(actor_id("a", "run-1")) == shard_of(actor_id("b", "run-1"))
    True
    """
    return crc32(key_of(actor).encode()) % shards
