"""What may be said of an agent's model calls, and of a provider that all runs of a runtime share."""

from __future__ import annotations

import math

from attrs import Attribute, field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.toolbelt.options import Breaker, Rate, Retry

TIMEOUT = 600.0
"""Seconds for one model call, as the clients of the large providers have it; then it counts as failed."""

RETRIES = Retry(times=3, first=1.0, most=60.0, jitter=0.25)
"""How a model that fails is called again unless the agent says otherwise: after 1, 2 and 4 s, up to a quarter more."""


def _seconds(owner: object, attribute: Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        where = f"{type(owner).__name__}({attribute.name}={value!r})"
        raise AgentFault(f"{where} is no time: give seconds, above 0 and finite")


def _as_float(value: float | None) -> float | None:
    # One spelling of 60 and 60.0, so that both give one manifest; a wrong type is left for the check.
    return float(value) if type(value) is int else value


def _seconds_or_none(owner: object, attribute: Attribute[float | None], value: object) -> None:
    if value is not None:
        _seconds(owner, attribute, value)  # type: ignore[arg-type]  # only its name is looked at


@frozen(kw_only=True)
class ModelOptions:
    """How an agent's models are called.

    A call that fails in a way that may pass is made again behind a durable timer, no sooner than the provider asks for.
    When the retries are used up, or the failure is not one that passes, the agent's next model is called; the run fails
    behind the last one. Each step begins with the first model.

    >>> ModelOptions(timeout=120, first_token=20, retries=None).hedge_after is None
    True

    Args:
        retries: of each model, for each step; None: none. With a further model to call, a wait that the provider wants
            to be longer than `retries.most` is not waited for.
        timeout: seconds for one call in all, from when it is its turn.
        first_token: seconds until the first piece of a streamed answer. It means nothing for a model that cannot stream
            (no StreamingModel), nor with `stream=False`; `timeout` holds there.
        hedge_after: seconds after which the same call is made a second time beside the first; who answers first (or
            begins to, when it streams) wins, and the other is cancelled. Both are paid: the budget is set aside twice,
            and the one that was cancelled counts as the most that it may have cost. None: never.
        stream: whether models that can stream do; what they say then comes to `run.events(chunks=True)` as it is said.

    Raises:
        AgentFault: when one of these is none.
    """

    retries: Retry | None = field(default=RETRIES)
    timeout: float = field(default=TIMEOUT, converter=_as_float, validator=_seconds)
    first_token: float | None = field(default=None, converter=_as_float, validator=_seconds_or_none)
    hedge_after: float | None = field(default=None, converter=_as_float, validator=_seconds_or_none)
    stream: bool = True

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.retries, Retry | None):
            raise AgentFault(f"ModelOptions(retries={self.retries!r}) is none: give Retry(...), or None")
        if not isinstance(self.stream, bool):
            raise AgentFault(f"ModelOptions(stream={self.stream!r}) is neither True nor False")
        for name in ("first_token", "hedge_after"):
            value: float | None = getattr(self, name)
            if value is not None and value > self.timeout:
                raise AgentFault(f"ModelOptions({name}={value!r}) lies behind timeout={self.timeout!r}: give less")


@frozen(kw_only=True)
class RetryBudget:
    """How many calls of one provider may be second attempts that fail, over all runs of a runtime.

    In any `within` seconds at most `least`, and besides a `share` of the first attempts: 100 agents that are all turned
    away at once try again 30 times, not 300, while the provider stays down. One that succeeds does not count, and makes
    up for one that has failed; and one may be made in each twelfth of the time, so that it is noticed when the provider
    is back. As Finagle's retry budget; but here the others wait, or go to their next model.

    Raises:
        AgentFault: when these are no such numbers.
    """

    share: float = 0.2
    least: int = 10
    within: float = field(default=60.0, validator=_seconds)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.share, bool) or not isinstance(self.share, int | float) or not 0 <= self.share <= 1:
            raise AgentFault(f"RetryBudget(share={self.share!r}) is no share of the calls: give 0 to 1")
        if type(self.least) is not int or self.least < 1:
            raise AgentFault(f"RetryBudget(least={self.least!r}) is no count: give a whole number above 0")


@frozen(kw_only=True)
class ProviderLimits:
    """What all runs of a runtime together may ask of one provider. A wait for room takes nothing of a call's time.

    Args:
        concurrency: calls at a time; None: any number.
        rate: how fast calls may begin.
        tokens: how many tokens may be asked for, as `Rate(200_000, per=60)`. A call takes the most that it may use, and
            gives back what it has not.
        breaker: when it is not called for a while. With a further model to call, that one is called at once.
        retries: how many second attempts there may be.

    Raises:
        AgentFault: when one of these is none.
    """

    concurrency: int | None = None
    rate: Rate | None = None
    tokens: Rate | None = None
    breaker: Breaker | None = None
    retries: RetryBudget = field(factory=RetryBudget)

    def __attrs_post_init__(self) -> None:
        if self.concurrency is not None and (type(self.concurrency) is not int or self.concurrency < 1):
            raise AgentFault(
                f"ProviderLimits(concurrency={self.concurrency!r}) is no count: give a whole number above 0, or None"
            )
        for name, kind in (("rate", Rate), ("tokens", Rate), ("breaker", Breaker)):
            if not isinstance(getattr(self, name), kind | None):
                raise AgentFault(
                    f"ProviderLimits({name}={getattr(self, name)!r}) is none: give {kind.__name__}(...), or None"
                )
        if not isinstance(self.retries, RetryBudget):
            raise AgentFault(f"ProviderLimits(retries={self.retries!r}) is none: give RetryBudget(...)")
