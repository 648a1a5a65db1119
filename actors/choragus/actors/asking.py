"""Whether an ask closes a circle of actors that wait for each other."""

from __future__ import annotations

from .errors import AskCycle
from .reply import Asked, Reply

FEW = 64
"""From how many on the replies that a handler has asked for are looked through for those that have come."""


def note(asking: list[Reply[object]], reply: Reply[object]) -> None:
    """One more that the handler waits for; a handler that asks for ever keeps no more than twice what is open."""
    size = len(asking)
    if size >= FEW and size & (size - 1) == 0:
        asking[:] = [one for one in asking if not one.done()]
    asking.append(reply)


def check_cycle(asker: Asked, target: Asked) -> None:
    """Follow who waits for whom, from the target on.

    Raises:
        AskCycle: with the chain, when it leads back to the asker.
    """
    came: dict[int, Asked | None] = {id(target): None}
    ahead = [target]
    while ahead:
        one = ahead.pop()
        if one is asker:
            raise AskCycle((asker.path, *_way(one, came)))
        for reply in one.asking:
            if id(reply.asked) not in came:
                came[id(reply.asked)] = one
                ahead.append(reply.asked)


def _way(end: Asked, came: dict[int, Asked | None]) -> tuple[str, ...]:
    way: list[str] = []
    one: Asked | None = end
    while one is not None:
        way.append(one.path)
        one = came[id(one)]
    return tuple(reversed(way))
