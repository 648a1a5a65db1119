"""A line of the table of faults: what was done how often, what is promised, what was seen."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

HEAD = ("fault", "points", "promised", "executed again", "lost", "stuck", "unknown, settled", "noticed", "broken")


@attrs.frozen(kw_only=True)
class Row:
    """What one kind of fault came to.

    Args:
        points: how often it really happened: at so many different places.
        promised: what is promised of it, in words.
        again: effects that may be executed again, and were, with the key of the first time.
        lost: points at which something was lost that had been acknowledged, or an effect never happened.
        stuck: points after which plain restarts did not come to the end.
        settled: effects of unknown outcome that a person settled.
        noticed: points at which an error was raised that names the fault; None where there is nothing to notice.
        broken: every promise that was broken, a sentence each.
        expected: why losses are no fault of this row: nobody can do better, or it shows that the judge can tell.
    """

    fault: str
    points: int
    promised: str
    again: int = 0
    lost: int = 0
    stuck: int = 0
    settled: int = 0
    noticed: int | None = None
    broken: tuple[str, ...] = ()
    expected: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """The line of the table."""
        noticed = "-" if self.noticed is None else str(self.noticed)
        numbers = (self.again, self.lost, self.stuck, self.settled)
        broken = f"{len(self.broken)}{f' ({self.expected})' if self.expected else ''}"
        return (self.fault, str(self.points), self.promised, *map(str, numbers), noticed, broken)


def table(rows: Iterable[Row]) -> str:
    """The rows in Markdown."""
    lines = [HEAD, tuple("---" for _ in HEAD), *(row.cells for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
