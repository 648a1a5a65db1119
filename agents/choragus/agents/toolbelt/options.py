"""What may be said of a tool beside its risk: how often, how many at once, how large, where, and what helps it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import Attribute, asdict, field, fields, frozen

from choragus.agents.errors import ToolFault
from choragus.agents.flow.declaration import Labels
from choragus.supervision.backoff import Backoff

LARGEST_ARGUMENTS = 1_000_000
"""Bytes of a call's arguments as JSON, unless the tool says otherwise."""

LARGEST_RESULT = 64_000
"""Bytes of a result that the model is shown, unless the tool says otherwise."""


class _Nothing:
    def __repr__(self) -> str:
        return "NOTHING"


NOTHING = _Nothing()
"""No fallback: None is one."""

HELPERS = frozenset({"fallback", "undo"})
"""The options that may be functions and tools, whose identity is their own."""


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_count(owner: object, attribute: Attribute[int], value: object) -> None:
    if type(value) is not int or value < 1:
        raise ToolFault(f"{type(owner).__name__}({attribute.name}={value!r}) is no count: give a whole number above 0")


def _check_seconds(owner: object, attribute: Attribute[float], value: object) -> None:
    if not _is_number(value) or not value > 0:  # type: ignore[operator]  # a number
        raise ToolFault(
            f"{type(owner).__name__}({attribute.name}={value!r}) is no time: give seconds, above 0 and finite"
        )


@frozen(kw_only=True)
class Retry:
    """Run a call again that failed, if nothing can be done twice by it; of a model, if the failure may pass.

    Of a tool that is a call of a tool that reads, a reversible one of an `idempotent` tool, or any that raised
    `ToolError(..., retryable=True)`, by which the tool says that it has done nothing. The wait doubles: 0.5, 1, 2 s
    for first 0.5, and is at most `most`; up to `jitter` times as much is added, the same for the same call and attempt.
    Attempts, and the waits between them, stand in the run's logbook and go on after a restart.

    Args:
        times: how often it is run again at most; with 3 it runs four times at most.

    Raises:
        ToolFault: when these are no such numbers.
    """

    times: int = field(default=3, validator=_check_count)
    first: float = field(default=0.5, validator=_check_seconds)
    most: float = field(default=30.0, validator=_check_seconds)
    jitter: float = 0.1

    def __attrs_post_init__(self) -> None:
        if self.first > self.most:
            raise ToolFault(f"Retry(first={self.first!r}, most={self.most!r}): the first wait is longer than the most")
        if not _is_number(self.jitter) or not 0 <= self.jitter <= 1:
            raise ToolFault(f"Retry(jitter={self.jitter!r}) is no share of the wait: give 0 to 1")

    def wait(self, attempt: int, chance: float = 0.0) -> float:
        """Seconds to wait behind the failed `attempt`, counted from 1; `chance` lies between 0 and 1."""
        return Backoff(first=self.first, most=self.most, jitter=self.jitter).delay(attempt - 1, chance)


@frozen
class Rate:
    """How fast calls of a tool or provider may begin: a bucket of `times` tokens that fills anew in `per` seconds.

    `Rate(10, per=60)` lets ten begin at once, and from then on one every 6 s. It counts over all runs of a runtime, and
    from nothing after a restart. Calls wait for their turn; their timeout begins when they do.

    Raises:
        ToolFault: when these are no such numbers.
    """

    times: int = field(validator=_check_count)
    per: float = field(default=1.0, validator=_check_seconds, kw_only=True)


@frozen(kw_only=True)
class Breaker:
    """Refuse the calls of a tool or provider for a while once it has failed too often, over all runs of a runtime.

    After `failures` failures in `within` seconds it is open for `open_for` seconds: calls are refused at once. Then one
    call is let through; when it succeeds the others follow, when it fails it is open again. A timeout, an exception and
    a result that does not fit count as failures; `ToolError` does when it is retryable, and `ModelError` unless it says
    when to come again. As Nygard's circuit breaker.

    Raises:
        ToolFault: when these are no such numbers.
    """

    failures: int = field(default=5, validator=_check_count)
    within: float = field(default=60.0, validator=_check_seconds)
    open_for: float = field(default=30.0, validator=_check_seconds)


@frozen(kw_only=True, eq=False)
class Options:
    """These options, checked as far as they can be each on its own; `tool` says what they mean."""

    retries: Retry | None = None
    concurrency: int | None = None
    rate: Rate | None = None
    breaker: Breaker | None = None
    calls_per_run: int | None = None
    max_arguments: int = LARGEST_ARGUMENTS
    max_result: int = LARGEST_RESULT
    isolation: str | None = None
    secrets: tuple[str, ...] = ()
    fallback: object = NOTHING
    undo: object = None
    check: object = ""
    cost_usd: float = 0.0
    labels: Labels | None = None
    version: str = ""

    def said(self) -> dict[str, object]:
        """What was declared and is not as by default, as JSON values; of tools and functions nothing."""
        plain = (int, str, bool, float, tuple, Retry, Rate, Breaker, Labels, type(None))
        given = ((each.name, each.default, getattr(self, each.name)) for each in fields(type(self)))
        return {
            name: _plain(value)
            for name, default, value in given
            if value != default and isinstance(value, plain) and name not in HELPERS
        }


def checked(called: str, given: Mapping[str, object]) -> Options:
    """The options of the tool of that name.

    Raises:
        ToolFault: when one is unknown, or no value for it.
    """
    known = {each.name for each in fields(Options)}
    for name in given:
        if name not in known:
            raise ToolFault(f"tool {called!r} has no option {name!r}: give {', '.join(sorted(known))}")
    options = Options(**given)  # type: ignore[arg-type]  # checked below
    for name, kind in (("retries", Retry), ("rate", Rate), ("breaker", Breaker)):
        if not isinstance(getattr(options, name), kind | None):
            raise _fault(called, name, getattr(options, name), f"{kind.__name__}(...)")
    for name in ("concurrency", "calls_per_run", "max_arguments", "max_result"):
        value = getattr(options, name)
        may_lack = name in ("concurrency", "calls_per_run")
        if not (value is None and may_lack) and (type(value) is not int or value < 1):
            raise _fault(called, name, value, "a whole number above 0" + (", or None" if may_lack else ""))
    cost = options.cost_usd
    if isinstance(cost, bool) or not (isinstance(cost, int | float) and 0 <= cost < math.inf):
        raise _fault(called, "cost_usd", cost, "dollars, 0 or more and finite")
    if not isinstance(options.labels, Labels | None):
        raise _fault(called, "labels", options.labels, "Labels(trusted=[...], arguments={...}), or None")
    if options.isolation not in (None, "process"):
        raise _fault(called, "isolation", options.isolation, "'process', or None")
    if not isinstance(options.version, str):
        raise _fault(called, "version", options.version, "a text, such as '2'")
    if not isinstance(options.secrets, tuple) or not all(isinstance(one, str) and one for one in options.secrets):
        raise _fault(called, "secrets", options.secrets, "a tuple of names, such as ('bank',)")
    return options


def _plain(value: object) -> object:
    """An option in JSON values; what has no order is sorted."""
    if isinstance(value, Labels):
        told = {"trusted": sorted(value.trusted), "arguments": dict(value.arguments), "guarded": value.guarded}
        return {**told, "plans": value.plans, "within": value.within}
    if isinstance(value, Retry | Rate | Breaker):
        return asdict(value)
    return sorted(map(str, value)) if isinstance(value, tuple) else value


def _fault(called: str, name: str, value: object, remedy: str) -> ToolFault:
    return ToolFault(f"{name}={value!r} of tool {called!r} is none: give {remedy}")
