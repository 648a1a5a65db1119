"""Who decides what waits for a person, how long they have, and what happens when nobody does. A value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Literal, get_args

from attrs import field, frozen

from .errors import AgentFault

Default = Literal["deny", "escalate", "allow"]

Groups = Iterable[str | Iterable[str]]


def _as_groups(chain: Groups) -> tuple[tuple[str, ...], ...]:
    return tuple((one,) if isinstance(one, str) else tuple(one) for one in chain)


@frozen(kw_only=True)
class Approvals:
    """How an agent's questions are put to people.

    >>> Approvals(within=3600, default="escalate", chain=["mia", ("cfo", "ceo")]).group(1)
    ('cfo', 'ceo')

    Args:
        within: seconds that each group has; None waits as long as it takes. The time goes on while no process has the
            run open: what counts is when the runtime takes an answer up.
        default: what happens when the time is up. "deny": the answer is no. "escalate": the next group of the chain is
            asked, with as much time again; behind the last it is no. "allow": the call runs, which only an agent
            without irreversible tools may say.
        chain: who may decide, the first group first; a name stands for a group of one. Empty: anybody who can reach
            the runtime. A policy that names approvers replaces the first group.
        quorum: how many of them have to approve, each counting once. One who denies is enough, and one who answers a
            question.

    Raises:
        AgentFault: when any of this does not hold.
    """

    within: float | None = None
    default: Default = "deny"
    chain: tuple[tuple[str, ...], ...] = field(default=(), converter=_as_groups)
    quorum: int = 1

    def __attrs_post_init__(self) -> None:
        seconds = isinstance(self.within, int | float) and not isinstance(self.within, bool)
        if self.within is not None and not (seconds and 0 < self.within < math.inf):
            raise AgentFault(f"within={self.within!r} is no time: give seconds, above 0 and finite, or None for no end")
        if self.default not in get_args(Default):
            raise AgentFault(f"default={self.default!r} is none of 'deny', 'escalate', 'allow': give one of them")
        _check_chain(self.chain)
        self._check_together()

    def _check_together(self) -> None:
        if self.default != "deny" and self.within is None:
            raise AgentFault(f"default={self.default!r} never comes about without a time: give within= seconds")
        if self.default == "escalate" and len(self.chain) < 2:
            raise AgentFault(f"default='escalate' with chain={self.chain!r}: name at least two groups of approvers")
        most = min(map(len, self.chain), default=self.quorum)
        if type(self.quorum) is not int or not 1 <= self.quorum <= most:
            raise AgentFault(f"quorum={self.quorum!r} must be a whole number from 1 to {most}, the smallest group")

    def group(self, level: int) -> tuple[str, ...]:
        """Who may decide at that place of the chain; nobody by name when it is empty."""
        return self.chain[min(level, len(self.chain) - 1)] if self.chain else ()

    def has_next(self, level: int) -> bool:
        """Whether anybody is left to escalate to."""
        return level + 1 < len(self.chain)


def _check_chain(chain: tuple[tuple[str, ...], ...]) -> None:
    for group in chain:
        if not group:
            raise AgentFault(
                f"a group of chain={chain!r} is empty: nobody could ever decide, so name somebody or drop it"
            )
        for name in group:
            if not isinstance(name, str) or not name.strip():
                raise AgentFault(
                    f"{name!r} in chain={chain!r} names nobody: give the names that decisions are signed with"
                )
        if len(set(group)) < len(group):
            raise AgentFault(f"the group {group!r} names somebody twice: a person counts once")
