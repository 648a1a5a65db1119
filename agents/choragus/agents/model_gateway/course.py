"""What is done after a model call that came to nothing: wait and call again, call the next model, or give up. Pure."""

from __future__ import annotations

import hashlib
from typing import TypeAlias

from attrs import frozen

from choragus.agents.errand import ModelFailed
from choragus.supervision.backoff import Backoff

from .options import ModelOptions
from .provider import RETRIES, UNAVAILABLE

CROWDED = Backoff(first=1.0, most=30.0, jitter=1.0)
"""How long a call stays away at least that was not made because there was no room."""

SPREAD = 0.25
"""By how much of a wait that all callers are told they are spread out behind it."""


@frozen
class Again:
    """Call the same model again, in `wait` seconds."""

    wait: float


@frozen
class Next:
    """Call the agent's next model, at once."""


@frozen
class Over:
    """There is nothing left to be tried."""


Course: TypeAlias = Again | Next | Over


@frozen(kw_only=True)
class Attempts:
    """What has been tried in a step.

    `failed` calls of the model in hand have failed, this one among them; `away` is how often it was not called, for
    there was no room. `further`: there is another model behind it. `left` seconds are left of the wall time; None: any
    number. `chance` lies between 0 and 1.
    """

    failed: int
    away: int = 0
    further: bool = False
    left: float | None = None
    chance: float = 0.0


def after_failure(options: ModelOptions, failure: ModelFailed, tried: Attempts) -> Course:
    """What is done now. Any failure may be made up for by the next model: it may be up, or know the key, or have room.

    A wait never goes beyond the wall time that is left; where it would, the next model is called, if there is one.
    """
    if failure.not_called:
        return _not_called(options, failure, tried)
    retries = options.retries
    if failure.retryable and retries is not None and tried.failed <= retries.times:
        asked = failure.retry_after or 0.0
        wait = max(retries.wait(tried.failed, tried.chance), asked * (1 + retries.jitter * tried.chance))
        if tried.further and (asked > retries.most or _is_too_long(wait, tried)):
            return Next()
        return _again(wait, tried)
    return Next() if tried.further else Over()


def chance(*parts: object) -> float:
    """Between 0 and 1, the same for the same parts in every process."""
    drawn = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return int.from_bytes(drawn[:4]) / 2**32


def _not_called(options: ModelOptions, failure: ModelFailed, tried: Attempts) -> Course:
    """There was no room, or the provider is not to be called now: that is no failure of the call.

    Who waits long enough comes to be called. Who wants no retries does not wait for a provider that fails.
    """
    asked = failure.retry_after or 0.0
    most = 0.0 if options.retries is None else options.retries.most
    if tried.further and (failure.kind in (RETRIES, UNAVAILABLE) or asked > most):
        return Next()
    if failure.kind == UNAVAILABLE and options.retries is None:
        return Over()
    wait = max(asked * (1 + SPREAD * tried.chance), CROWDED.delay(max(0, tried.away - 1), tried.chance))
    if tried.further and _is_too_long(wait, tried):
        return Next()
    return _again(wait, tried)


def _is_too_long(wait: float, tried: Attempts) -> bool:
    return tried.left is not None and wait >= tried.left


def _again(wait: float, tried: Attempts) -> Again:
    return Again(wait if tried.left is None else min(wait, max(0.0, tried.left)))
