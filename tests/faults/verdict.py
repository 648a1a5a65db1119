"""What a judge says of a disk after a loss of power."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Verdict:
    """How much of what was acknowledged is not there; and what is wrong with the rest, "" for nothing."""

    lost: int = 0
    problem: str = ""
