"""What a breaker tells when it opens and when it closes: an event of the system, which enters it in the logbook."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from choragus.actors.event import Chronicled

Moved = Callable[[str, float], None]
"""Called with where calls go, `tool/NAME` or `provider/NAME`, and for how many seconds none does; 0: they do again."""


@attrs.frozen
class BreakerMoved(Chronicled):
    """Calls to `actor`, `tool/NAME` or `provider/NAME`, are not made for so many seconds; with 0 they are again."""

    seconds: float

    def entry(self) -> tuple[str, Mapping[str, object]]:
        """`breaker.opened` or `breaker.closed`."""
        return ("breaker.opened", {"seconds": self.seconds}) if self.seconds else ("breaker.closed", {})


def unheard(where: str, seconds: float) -> None:
    """Nobody listens."""
