"""What a run may spend, has spent and has set aside, and the time in which nobody worked on it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from choragus.mailbox.codec import Record, decode_as, encode, stored

from .limits import Limits
from .message import JudgeCall
from .spending import NOTHING, Excess, Spent, exceeded, over, over_tool, total


@stored("choragus.claim")
@attrs.define(kw_only=True)
class Claim:
    """Who wants to spend how much at most.

    Args:
        asker: the address that is told when the claim has to wait; nobody: then it does not wait.
        keep: what must be left besides.
        final: the last call of a run, which time does not bind.
        judge: the tool call that is judged when there is room.
    """

    token: str
    most: Spent
    asker: str = ""
    keep: Spent = NOTHING
    final: bool = False
    judge: JudgeCall | None = None


@stored("choragus.claims")
@attrs.define
class Queue:
    """Claims in their order. Each is kept as its JSON text, so that writing a thousand of them down costs little."""

    tokens: list[str] = attrs.field(factory=list)
    texts: list[str] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: object) -> bool:
        return token in self.tokens

    def first(self) -> Claim:
        """The one that is next."""
        return decode_as(Claim, Record("choragus.claim", 1, self.texts[0].encode()))

    def put(self, claim: Claim, at: int | None = None) -> None:
        """Let the claim wait behind the others, or at a place among them."""
        place = len(self.tokens) if at is None else at
        self.tokens.insert(place, claim.token)
        self.texts.insert(place, encode(claim).body.decode())

    def pop(self) -> Claim:
        """Take the one that is next."""
        claim = self.first()
        del self.tokens[0], self.texts[0]
        return claim


@attrs.frozen
class Refusal:
    """There is no room for a claim; `passes`: there will be, or may be, when what is under way has come to its end."""

    excess: Excess
    passes: bool


@attrs.define
class Budget:
    """The spending of one run, or of another account. Times are seconds since the epoch.

    `idle` is the time in which nobody worked: something waited for a person, it was paused, or no process had the run
    open since `seen`. `queue` has the claims that wait for room, in their order; `presumed` what calls that were cut
    off are taken to have cost: nobody knows, so the most that they may have.
    """

    limits: Limits = attrs.field(factory=Limits)
    started: float = 0.0
    spent: Spent = attrs.field(factory=Spent)
    reserved: dict[str, Spent] = attrs.field(factory=dict)
    waiting_since: float = 0.0
    idle: float = 0.0
    seen: float = 0.0
    calls: dict[str, int] = attrs.field(factory=dict)
    queue: Queue = attrs.field(factory=Queue)
    presumed: dict[str, Spent] = attrs.field(factory=dict)

    def begin(self, limits: Limits, started: float) -> None:
        """The run begins."""
        self.limits = limits
        self.started = self.seen = started

    def room(self, claim: Claim, *, now: float, opened: float) -> Refusal | None:
        """Whether the claim fits beside all that is spent and set aside, its own token left out.

        Args:
            opened: when this process opened the run's file.
        """
        others = [amount for token, amount in self.reserved.items() if token != claim.token]
        wall = now - self.started
        spent = self.spent.add(Spent(active_seconds=max(0.0, wall - self.idled(now=now, opened=opened))))
        limits = _timeless(self.limits) if claim.final else self.limits
        asked = claim.most.add(claim.keep)
        if claim.judge is not None and (excess := over_tool(limits, claim.judge.tool, self.calls)):
            return Refusal(excess, passes=False)
        excess = exceeded(limits, spent, total([asked, *others]), wall)
        if excess is not None:
            return Refusal(excess, passes=bool(others) and exceeded(limits, spent, asked, wall) is None)
        return self._crowded(claim, others)

    def set_aside(self, claim: Claim) -> None:
        """Reserve it; there is room."""
        self.reserved[claim.token] = claim.most
        if claim.judge is not None:
            self.calls[claim.judge.tool] = self.calls.get(claim.judge.tool, 0) + 1

    def put_back(self, token: str, claim: Claim | None) -> None:
        """What was reserved is free again; a call whose claim has come to nothing is counted when it is made."""
        self.reserved.pop(token, None)
        if claim is not None and claim.judge is not None:
            self.calls[claim.judge.tool] -= 1

    def spend(self, token: str, spent: Spent) -> Spent:
        """What was reserved under the token is spent, or given back; the change to what is spent."""
        self.reserved.pop(token, None)
        change = spent.less(self.presumed.pop(token, NOTHING))
        self.spent = self.spent.add(change)
        return change

    def presume(self, token: str) -> Spent:
        """A call was cut off: it counts as the most that it may have cost, until somebody knows better."""
        most = self.reserved.pop(token)
        self.presumed[token] = most
        self.spent = self.spent.add(most)
        return most

    def _crowded(self, claim: Claim, others: Iterable[Spent]) -> Refusal | None:
        """Too many model calls at a time."""
        if not claim.most.steps:
            return None
        excess = over("parallel", self.limits.parallel, sum(1 for amount in others if amount.steps), 1)
        return None if excess is None else Refusal(excess, passes=True)

    def idled(self, *, now: float, opened: float) -> float:
        """Seconds of the run so far in which nobody worked."""
        if self.waiting_since:
            return self.idle + now - self.waiting_since
        if self.seen < opened:
            self.idle += opened - self.seen
        self.seen = now
        return self.idle

    def clock(self, waits: bool, *, now: float, opened: float) -> None:
        """Take note that nobody works now, or that somebody does again."""
        idle = self.idled(now=now, opened=opened)
        if waits and not self.waiting_since:
            self.waiting_since = now
        elif not waits and self.waiting_since:
            self.idle, self.seen, self.waiting_since = idle, now, 0.0


def _timeless(limits: Limits) -> Limits:
    return attrs.evolve(limits, wall_seconds=None, active_seconds=None)
