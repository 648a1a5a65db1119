"""Counts the points that a process comes to, and kills it at the one that is wanted."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from choragus.actors.fault import Point
from choragus.mailbox.turn import Batch, Effect, EffectState, Envelope, Turn

from .ledger import Ledger, Line
from .point import CrashKind, CrashPoint

NAMED = 3
"""Parts of a transaction that are named; of the others only the number is told."""

OVER = frozenset(
    {EffectState.DONE, EffectState.FAILED, EffectState.SETTLED, EffectState.CANCELLED, EffectState.UNKNOWN}
)


class Meter:
    """Sits in the kernel's fault hook and behind the ledger; for a process of its own, which it may kill.

    The kill is a SIGKILL to oneself inside the call that reached the point: nothing of the process runs after it.

    Args:
        ledger: where effects that begin and end are noted.
        point: where to die; None nowhere.
        grave: gets what was about to happen there, as text.
    """

    def __init__(self, ledger: Path, life: int, point: CrashPoint | None, grave: Path) -> None:
        self.counts: Counter[CrashKind] = Counter()
        self.ledger = Ledger(ledger, life=life, after=self._noted)
        self._point = point
        self._grave = grave
        self._types: dict[tuple[str, str], str] = {}

    async def hook(self, point: Point, what: Batch | Effect) -> None:
        """The kernel is at a point."""
        if isinstance(what, Effect):
            self._reach(point, f"{what.actor} runs {what.runner!r} on {what.record.tag}")
            self.ledger.began(what)
            return
        if point == "before commit":
            self._learn(what)
        else:
            settled = [effect for turn in what.turns for effect, state in turn.effects_settled if state in OVER]
            self.ledger.closed([*(closure.effect for closure in what.closures), *settled])
        self._reach(point, self._described(what))

    def _noted(self, line: Line) -> None:
        self._reach("after note", f"{line.what!r}, noted by {line.by}")

    def _reach(self, kind: CrashKind, what: str) -> None:
        self.counts[kind] += 1
        if self._point == CrashPoint(kind, self.counts[kind]):
            self._grave.write_text(what, encoding="utf-8")
            os.kill(os.getpid(), signal.SIGKILL)

    def _learn(self, batch: Batch) -> None:
        sent = [envelope for turn in batch.turns for envelope in turn.sends]
        for one in (*sent, *batch.appends, *(closure.envelope for closure in batch.closures)):
            method = one.then.partition("\n")[0]
            self._types[one.receiver, one.id] = f"a reply, {method}()" if method else one.record.tag

    def _described(self, batch: Batch) -> str:
        parts = [
            *map(self._turn, batch.turns),
            *(f"the result of {closure.envelope.receiver}'s effect {closure.effect}" for closure in batch.closures),
            *map(_message, batch.appends),
        ]
        more = [f"{len(parts) - NAMED} more"] if len(parts) > NAMED else []
        return "; ".join([*parts[:NAMED], *more]) or "the kernel's own marks"

    def _turn(self, turn: Turn) -> str:
        types = [self._types.get((turn.actor, one), one) for one in turn.consumed]
        return f"the turn of {turn.actor} on {', '.join(types) or 'a failure'}"


def _message(envelope: Envelope) -> str:
    return f"the host's {envelope.record.tag} to {envelope.receiver}"
