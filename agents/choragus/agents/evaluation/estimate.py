"""How often k trials of a case succeed, estimated from n of them. Pure.

Of a case c of n trials have passed. Drawing k of the n without putting back gives the unbiased estimates

    pass@k   1 - C(n-c, k) / C(n, k)    at least one of k passes
    pass^k   C(c, k) / C(n, k)          all of k pass

for both are averages over all sets of k of these trials. (c/n)^k would not be: by it a case that passes 2 of 3 passes
both of two with 4/9, and of the three pairs only one does.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import comb

from choragus.agents.figures.formula import Mean, mean, rate


def pass_at(n: int, c: int, k: int) -> float:
    """The chance that at least one of k trials passes.

    >>> pass_at(3, 1, 2)
    0.6666666666666667
    """
    _check(n, c, k)
    return 1 - comb(n - c, k) / comb(n, k)


def pass_all(n: int, c: int, k: int) -> float:
    """The chance that all of k trials pass.

    >>> pass_all(3, 2, 2)
    0.3333333333333333
    """
    _check(n, c, k)
    return comb(c, k) / comb(n, k)


def over_cases(counted: Iterable[tuple[int, int]], k: int, *, every: bool) -> Mean:
    """The mean over cases of pass^k (`every`) or pass@k, with its interval: the cases are the sample.

    Where each case's estimate is 0 or 1, as it always is when k is all of its trials, the interval is Wilson's for that
    share of the cases; else it is Student's for a mean, cut at 0 and 1.

    Args:
        counted: trials and passes of each case; those with fewer than k trials are left out.
    """
    estimate = pass_all if every else pass_at
    values = [estimate(n, c, k) for n, c in counted if n >= k]
    found = mean(values)
    if values and all(one in (0, 1) for one in values):
        share = rate(int(sum(values)), len(values))
        return found._replace(low=share.low, high=share.high)
    return found if found.high is None else found._replace(high=min(1.0, found.high))


def _check(n: int, c: int, k: int) -> None:
    if not (0 <= c <= n and 1 <= k <= n):
        raise ValueError(f"n={n}, c={c}, k={k}: c passes of n trials, and k from 1 to n")
