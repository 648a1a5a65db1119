"""The five figures of runs, each by its formula and with a 95 % interval. Pure; the standard library only.

Of runs that have ended each is exactly one of these, so their shares add up to 1:

    completed     status completed, and nothing that was declared says that it did not succeed
    unsuccessful  status completed, and `succeeded` is False: it ended, and missed what its agent declares as success
    failed, limit, denied, cancelled    the status

With E runs that have ended, among them C completed ones:

    completion rate       C / E
    error rate            (failed + limit) / E: ended without a result, and nobody decided so
    escalation frequency  runs that a person was asked in at least once / E, beside the mean number of times
    cost per run          cost of all E / E; and cost of all E / C, what a completed run costs with those that failed
    time to completion    median, 90th and 99th percentile over C, from start to end

Whoever is cancelled counts as ended: to leave out what was given up would make any agent look better. A run that goes
on, waits or is paused is in no figure, and counted as `open`. Without runs a figure is None, never 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import ceil, exp, floor, fsum, lgamma, log, log1p, sqrt
from typing import NamedTuple

Z = 1.959963984540054
"""The 97.5th percentile of the normal distribution: of every interval here the level is 95 %."""

ENDED = ("completed", "failed", "limit", "denied", "cancelled")
"""The statuses of a run that has ended."""

ENDS = ("completed", "unsuccessful", "failed", "limit", "denied", "cancelled")
"""What a run that has ended counts as."""

_T = (
    *(12.7062, 4.3027, 3.1824, 2.7764, 2.5706, 2.4469, 2.3646, 2.3060, 2.2622, 2.2281),
    *(2.2010, 2.1788, 2.1604, 2.1448, 2.1314, 2.1199, 2.1098, 2.1009, 2.0930, 2.0860),
    *(2.0796, 2.0739, 2.0687, 2.0639, 2.0595, 2.0555, 2.0518, 2.0484, 2.0452, 2.0423),
)
"""The 97.5th percentiles of Student's t with 1 to 30 degrees of freedom."""

_TAIL = 0.025


class Outcome(NamedTuple):
    """What one run counts as. Times are seconds, `waited` those in which a person was asked or it was paused.

    `succeeded` is what its agent declares as success, None where nothing is declared. `questions` is how often it had
    to wait for a person: an approval, a question, a ceiling, a call of unknown outcome. `seconds` is from start to end,
    of no meaning while it goes on. Of a run on which no money or tokens are known these are 0.

    >>> Outcome("completed", succeeded=False).counts_as
    'unsuccessful'
    """

    status: str
    succeeded: bool | None = None
    questions: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    steps: int = 0
    tokens: int = 0

    @property
    def ended(self) -> bool:
        """Whether it has ended; else it is in no figure."""
        return self.status in ENDED

    @property
    def completed(self) -> bool:
        """Whether it has given what was wanted, as far as that is declared."""
        return self.status == "completed" and self.succeeded is not False

    @property
    def error(self) -> bool:
        """Whether it ended without a result though nobody, and no policy, decided so."""
        return self.status in ("failed", "limit")

    @property
    def escalated(self) -> bool:
        """Whether it needed a person at least once."""
        return self.questions > 0

    @property
    def active(self) -> float:
        """Seconds without those in which it waited for people or was paused."""
        return max(0.0, self.seconds - self.waited)

    @property
    def counts_as(self) -> str:
        """One of `ENDS`, or `open`."""
        if not self.ended:
            return "open"
        return "unsuccessful" if self.status == "completed" and not self.completed else self.status


class Rate(NamedTuple):
    """A share k / n with its interval after Wilson; all None when n is 0."""

    k: int
    n: int
    value: float | None
    low: float | None
    high: float | None


class Mean(NamedTuple):
    """A mean with its interval after Student; None without values, the interval None with fewer than two."""

    n: int
    total: float
    value: float | None
    low: float | None
    high: float | None


class Quantile(NamedTuple):
    """A percentile: a value that was seen. An end of the interval is None where so few values bound it on no level."""

    value: float | None
    low: float | None
    high: float | None


class Quantiles(NamedTuple):
    """The median, the 90th and the 99th percentile of n values."""

    n: int
    median: Quantile
    p90: Quantile
    p99: Quantile


class Figures(NamedTuple):
    """The five figures of some runs, and what they were computed from; see the head of this module.

    `ends` has how many of the runs that ended were each of `ENDS`. `cost_per_completed` is None when none completed.
    `seconds`, `active` and `waited` are over the completed runs, the means over all that have ended.
    """

    runs: int
    ended: int
    open: int
    ends: Mapping[str, int]
    completion: Rate
    errors: Rate
    escalation: Rate
    questions: Mean
    cost: Mean
    cost_per_completed: float | None
    seconds: Quantiles
    active: Quantiles
    waited: Quantiles
    steps: Mean
    tokens: Mean

    @property
    def empty(self) -> bool:
        """Whether no run has ended, and there is no figure."""
        return self.ended == 0

    def as_dict(self) -> dict[str, object]:
        """All of it in plain JSON types; a missing figure is null."""
        return {name: _plain(value) for name, value in self._asdict().items()}


def figures(outcomes: Iterable[Outcome]) -> Figures:
    """The five figures of these runs; the order of the runs changes nothing.

    >>> two = figures([Outcome("completed", cost_usd=0.1, seconds=4), Outcome("failed", cost_usd=0.3, questions=1)])
    >>> two.completion.value, two.escalation.value, two.cost.value, two.cost_per_completed, two.seconds.median.value
    (0.5, 0.5, 0.2, 0.4, 4)
    """
    every = list(outcomes)
    ended = [one for one in every if one.ended]
    completed = [one for one in ended if one.completed]
    counted = Counter(one.counts_as for one in ended)
    cost = mean([one.cost_usd for one in ended])
    return Figures(
        runs=len(every),
        ended=len(ended),
        open=len(every) - len(ended),
        ends={name: counted[name] for name in ENDS},
        completion=rate(len(completed), len(ended)),
        errors=rate(sum(one.error for one in ended), len(ended)),
        escalation=rate(sum(one.escalated for one in ended), len(ended)),
        questions=mean([one.questions for one in ended]),
        cost=cost,
        cost_per_completed=cost.total / len(completed) if completed else None,
        seconds=quantiles([one.seconds for one in completed]),
        active=quantiles([one.active for one in completed]),
        waited=quantiles([one.waited for one in completed]),
        steps=mean([one.steps for one in ended]),
        tokens=mean([one.tokens for one in ended]),
    )


def rate(k: int, n: int) -> Rate:
    """The share of k in n. Its interval, with p = k/n and z = 1.96 (Wilson, without correction for continuity):

        (p + z²/2n  ±  z·√(p(1-p)/n + z²/4n²)) / (1 + z²/n)

    It stays within 0 and 1 and means something for 0 of n too: 0 of 10 is 0 to 28 %.

    Raises:
        ValueError: when k is negative or more than n.
    """
    if not 0 <= k <= n:
        raise ValueError(f"rate({k}, {n}): k is how many of n, so at least 0 and at most n")
    if n == 0:
        return Rate(k, n, None, None, None)
    p, w = k / n, Z * Z / n
    middle, half = p + w / 2, Z * sqrt(p * (1 - p) / n + w / (4 * n))
    low, high = (middle - half) / (1 + w), (middle + half) / (1 + w)
    return Rate(k, n, p, 0.0 if k == 0 else low, 1.0 if k == n else high)


def mean(values: Sequence[float]) -> Mean:
    """The mean m of n values. Its interval, with their standard deviation s (over n-1) and Student's t at 97.5 %:

        m  ±  t(n-1)·s/√n

    cut at 0 when no value is below. It is exact for values as the normal distribution has them and approximate for
    others; of costs, which have a long tail, believe it from some 30 runs on.
    """
    n, total = len(values), fsum(values)
    if n == 0:
        return Mean(0, 0.0, None, None, None)
    middle = total / n
    if n == 1:
        return Mean(n, total, middle, None, None)
    deviation = sqrt(fsum((one - middle) ** 2 for one in values) / (n - 1))
    half = student(n - 1) * deviation / sqrt(n)
    low = middle - half
    return Mean(n, total, middle, max(0.0, low) if min(values) >= 0 else low, middle + half)


def quantiles(values: Iterable[float]) -> Quantiles:
    """The median and the percentiles 90 and 99 of these values, each as `quantile` has it."""
    found = sorted(values)
    return Quantiles(len(found), quantile(found, 0.5), quantile(found, 0.9), quantile(found, 0.99))


def quantile(values: Sequence[float], p: float) -> Quantile:
    """The smallest value that at least the share p of them does not exceed: the ⌈p·n⌉-th of n in ascending order.

    Its interval goes from the l-th to the u-th value, whatever they are distributed like: with B after the binomial
    distribution of n and p, l is the greatest with P(B < l) <= 2.5 % and u the least with P(B >= u) <= 2.5 %. The
    median has both ends from 6 values on, the 90th percentile its upper one from 36 on, the 99th from 368 on.

    Args:
        values: in ascending order.
        p: between 0 and 1, neither of them.
    """
    n = len(values)
    if n == 0:
        return Quantile(None, None, None)
    low, high = _ranks(n, p)
    return Quantile(
        values[max(1, ceil(p * n - 1e-9)) - 1],
        values[low - 1] if low >= 1 else None,
        values[high - 1] if high <= n else None,
    )


def student(freedom: int) -> float:
    """The 97.5th percentile of Student's t: by table up to 30 degrees of freedom, by expansion in 1/freedom beyond."""
    if freedom <= len(_T):
        return _T[freedom - 1]
    first = (Z**3 + Z) / 4
    second = (5 * Z**5 + 16 * Z**3 + 3 * Z) / 96
    return Z + first / freedom + second / freedom**2


def by_group(outcomes: Iterable[tuple[str, Outcome]]) -> dict[str, Figures]:
    """The figures of each group, the groups in the order of their names."""
    groups: dict[str, list[Outcome]] = {}
    for name, one in outcomes:
        groups.setdefault(name, []).append(one)
    return {name: figures(groups[name]) for name in sorted(groups)}


def _ranks(n: int, p: float) -> tuple[int, int]:
    """The ranks between which the percentile lies at 95 %: 0 and n + 1 where there is none."""
    reach = 8 * sqrt(n * p * (1 - p)) + 8  # what lies farther out has less than a billionth
    first, last = max(0, floor(n * p - reach)), min(n, ceil(n * p + reach))
    chance, below, low = _binomial(n, p), 0.0, first
    for k in range(first, last + 1):
        if below <= _TAIL:
            low = k
        below += chance(k)
        if below >= 1 - _TAIL:
            return low, k + 1
    return low, n + 1


def _binomial(n: int, p: float) -> Callable[[int], float]:
    """The chance of k in n, also where the factors are too small or large for a float."""
    whole, yes, no = lgamma(n + 1), log(p), log1p(-p)
    return lambda k: exp(whole - lgamma(k + 1) - lgamma(n - k + 1) + k * yes + (n - k) * no)


def _plain(value: object) -> object:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(one) for name, one in value._asdict().items()}
    return dict(value) if isinstance(value, Mapping) else value
