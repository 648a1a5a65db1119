"""What a supervisor remembers of the children that it has restarted, each by itself."""

from __future__ import annotations

from collections.abc import Container

import attrs


@attrs.define
class History:
    """One child's restarts. Times are monotonic seconds.

    `restarts` counts them all, `streak` the failures in a row that the backoff goes by; `up` is when the child came up
    after the last of these, None as long as it has not.
    """

    restarts: int = 0
    streak: int = 0
    up: float | None = None


class Histories:
    """By name; there is none of a child that was never restarted.

    Args:
        calm: seconds that a child is up without a failure, after which its failures are counted anew.
    """

    def __init__(self, calm: float) -> None:
        self._calm = calm
        self._of: dict[str, History] = {}

    def restarts(self, name: str) -> int:
        """How often the child was restarted."""
        history = self._of.get(name)
        return 0 if history is None else history.restarts

    def failures(self, name: str, now: float) -> int:
        """How many failures in a row came before one now."""
        history = self._of.get(name)
        if history is None or (history.up is not None and now - history.up >= self._calm):
            return 0
        return history.streak

    def failed(self, name: str, now: float) -> None:
        """The child failed, and is to be restarted."""
        streak = self.failures(name, now) + 1
        history = self._of.get(name) or self._new(name)
        history.streak, history.up = streak, None

    def came_up(self, name: str, now: float) -> None:
        """The child was restarted; also when it had only gone down with a sibling, which ends no streak."""
        history = self._of.get(name) or self._new(name)
        history.restarts += 1
        if history.up is None:
            history.up = now

    def _new(self, name: str) -> History:
        history = self._of[name] = History()
        return history

    def stopped(self, name: str) -> None:
        """There is no process any more: should one be started on request, its failures are counted anew."""
        history = self._of.get(name)
        if history is not None:
            history.streak, history.up = 0, None

    def gone(self, name: str) -> None:
        """The name is free."""
        self._of.pop(name, None)

    def begin(self, names: Container[str]) -> None:
        """The supervisor starts: who comes back does so without failures, and who does not is forgotten."""
        self._of = {name: History(one.restarts) for name, one in self._of.items() if name in names}
