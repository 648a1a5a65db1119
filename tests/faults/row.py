"""One row of the table of faults: what was done to a system, what is promised of it, and what was seen."""

from __future__ import annotations

from attrs import field, frozen
from attrs.validators import ge, instance_of


@frozen(kw_only=True)
class Row:
    """What one kind of fault did, at every point at which it was tried.

    Args:
        fault: What went wrong, such as "the -wal cut at every 512 bytes".
        points: How many instants, offsets or values were tried; at least 1.
        promise: What the documentation says of it, in one sentence.
        seen: What happened, with counts; a broken promise begins with "BROKEN: ".
    """

    fault: str = field(validator=instance_of(str))
    points: int = field(validator=[instance_of(int), ge(1)])
    promise: str = field(validator=instance_of(str))
    seen: str = field(validator=instance_of(str))

    @property
    def holds(self) -> bool:
        """Whether what was seen is what is promised."""
        return not self.seen.startswith("BROKEN: ")
