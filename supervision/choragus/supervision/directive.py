"""What to do about a failure, by the type of its exception: pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TypeAlias

from .errors import Escalated, SpecFault


class Directive(Enum):
    """What a decider says about a failure, in Pekko's words."""

    RESTART = "restart"
    """As the strategy and the restart type say; what happens when no decider says anything."""
    RESUME = "resume"
    """Go on with the actor and its state as they are; counts as no restart. After a failure in init: STOP."""
    STOP = "stop"
    """End the child for good: its spec is kept, without a process."""
    ESCALATE = "escalate"
    """Give up at once, so that the supervisor above decides."""


RESTART = Directive.RESTART

Decider: TypeAlias = Mapping[type[BaseException], Directive]
"""By exception type; the most specific class decides."""


def check_decider(decider: Decider) -> None:
    """Refuse what cannot decide.

    Raises:
        SpecFault: on a key that is no exception type, on BaseException, and on a value that is no Directive.
    """
    if not isinstance(decider, Mapping):
        raise SpecFault(f"decider={decider!r}: give a dict, as in {{ConnectionError: Directive.RESTART}}")
    for kind, directive in decider.items():
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise SpecFault(f"decider: {kind!r} is no exception type")
        if kind is BaseException:
            raise SpecFault("decider: BaseException would eat cancellations; name Exception, or the class you mean")
        if not isinstance(directive, Directive):
            raise SpecFault(f"decider: {directive!r} for {kind.__name__} is no Directive")


def directive_for(deciders: Iterable[Decider], error: BaseException) -> Directive:
    """The first decider that knows the error decides, by the class that is nearest to it; else RESTART.

    What a supervisor gave up for by a decider's order is looked up as the error behind it. A rule for Exception is a
    catch-all, and no rule for a BaseException that is no Exception, such as CancelledError: those need their own name.

    >>> directive_for([{OSError: Directive.STOP}, {Exception: Directive.ESCALATE}], KeyError())
    <Directive.ESCALATE: 'escalate'>
    """
    behind = error.__cause__ if isinstance(error, Escalated) and error.__cause__ is not None else error
    for decider in deciders:
        for kind in type(behind).__mro__:
            if kind in decider:
                return decider[kind]
    return RESTART
