"""Whether an ask closes a circle of actors that wait for each other."""

from __future__ import annotations

from .errors import AskCycle
from .reply import Asked


def check_cycle(asker: Asked, target: Asked) -> None:
    """Follow who waits for whom, from the target on.

    Raises:
        AskCycle: with the chain, when it leads back to the asker.
    """
    chain = _chain(asker, target, set())
    if chain is not None:
        raise AskCycle((asker.path, *(one.path for one in chain)))


def _chain(asker: Asked, target: Asked, seen: set[int]) -> list[Asked] | None:
    if target is asker:
        return [target]
    if id(target) in seen:
        return None
    seen.add(id(target))
    for reply in target.asking:
        rest = _chain(asker, reply.asked, seen)
        if rest is not None:
            return [target, *rest]
    return None
