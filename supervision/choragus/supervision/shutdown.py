"""When a supervisor ends because significant children have ended: pure."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from .strategy import Member


class AutoShutdown(Enum):
    """Whether a supervisor ends, normally, when significant children have ended by themselves, in OTP's words.

    An end by itself is one that the supervisor neither asked for nor mends by a restart. What the supervisor above
    then does goes by this supervisor's own restart type: a permanent one is started again.
    """

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    """With the first of them."""
    ALL_SIGNIFICANT = "all_significant"
    """With the last of them."""


def shuts_down(auto_shutdown: AutoShutdown, gone: Member, others: Iterable[Member]) -> bool:
    """Whether the supervisor ends now that this child has ended by itself."""
    if not gone.significant or auto_shutdown is AutoShutdown.NEVER:
        return False
    if auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
        return True
    return not any(other.significant and other.is_alive for other in others)
