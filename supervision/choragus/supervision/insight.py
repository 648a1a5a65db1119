"""What a system shows of itself while it runs."""

from __future__ import annotations

from choragus.actors.trace import Handled

from .composing import Composing
from .inspection import inspected
from .ledger import Ledger
from .report import FailureReport
from .spec import Region
from .tree import TreeNode


class Insight(Composing):
    """The part of a System that is about looking at it."""

    _ledger: Ledger
    _regions: tuple[Region, ...]

    def tree(self) -> TreeNode:
        """The live tree as it stands: supervisors, their children, and the durable actors in memory by region.

        A value that does not change any more; `print(system.tree())` draws it. It may be called at any time, also from
        a handler, while things restart or stop, and after the end. It takes about 4 ms for 1,000 actors, in which
        nothing else runs.

        Raises:
            RuntimeError: before the system is entered.
        """
        population = self.kernel.population
        return inspected(self._root, self._regions, population, self._ledger)

    @property
    def degraded(self) -> str:
        """Why nothing reaches the disk at present; empty when all is well.

        A commit that failed is tried again until it works. Meanwhile durable actors pause at 1,000 turns or 8 MB that
        wait, nobody is told anything, and no effect begins. `Degraded` and `Recovered` are events.

        Raises:
            RuntimeError: before the system is entered.
        """
        return self.kernel.degraded

    def failures(self, path: str) -> tuple[FailureReport, ...]:
        """The last failures of the actor or supervisor at that path, the latest first: 5 at most.

        Also of one that is gone. Those of the 1,000 actors that failed last are kept, as text: nothing that was in
        memory when they failed is held. A durable actor's path is that of its events, `type/key`.
        """
        return self._ledger.of(path)

    def recent(self, n: int = 100, path: str | None = None) -> tuple[Handled, ...]:
        """What volatile actors handled last, the newest last: by whom, from whom, how long, and whether they failed.

        The flight recorder is always on. It keeps the last 4,096 messages of all actors, by name only.

        Args:
            n: how many at most.
            path: only those of this actor.

        Raises:
            ValueError: when `n` is less than 1.
            RuntimeError: before the system is entered.
        """
        return self.kernel.trace.recent(n, path)
