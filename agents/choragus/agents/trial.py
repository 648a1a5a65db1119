"""The answer of a run while it is judged. Data only."""

from __future__ import annotations

import attrs


@attrs.define
class Trial:
    """An answer that stands, of which it is not said yet whether it is what was wanted; so often it was asked."""

    answer: str
    tries: int = 0
