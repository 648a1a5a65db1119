"""What really happened, written down outside of the runtime."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from pathlib import Path
from typing import Literal

import attrs
import msgspec

from choragus.actors.inside import CURRENT
from choragus.mailbox.turn import Effect, OnInterrupt

LineKind = Literal["began", "closed", "noted", "again"]
"""An effect's call began; its result was committed; a change was noted; a change was asked for again, with its key."""

EFFECT: ContextVar[Effect | None] = ContextVar("choragus_effect", default=None)
"""The effect that runs in this task, where a kit has put it."""


@attrs.frozen(kw_only=True)
class Line:
    """One line: in which process (`life`, from 1), on behalf of which effect ("" for none), and what was noted."""

    kind: LineKind
    life: int
    effect: str = ""
    actor: str = ""
    runner: str = ""
    rerun: bool = False
    what: str = ""
    key: str = ""

    @property
    def by(self) -> str:
        """Who noted it, for people."""
        if self.effect:
            return f"the effect {self.runner!r} of {self.actor}"
        return f"a handler of {self.actor}" if self.actor else "the host, or an actor that is not durable"


def _nothing(line: Line) -> None:
    """Nobody wants to know."""


class Ledger:
    """The outside world, as an append-only file: effects and tools note in it what they really did.

    A stand-in for the bank, the mail server, the warehouse: `ledger.note("paid 5 to bob")` where the real thing
    would be done. Each line is flushed to the disk before `note` comes back, so it survives whatever becomes of the
    runtime. Note changes, not reads: what only looks may look again.

    Args:
        path: the file, made with the first line.
        life: the number of this process among those that write here.
        after: told each time that a change was noted.
    """

    def __init__(self, path: Path, *, life: int = 1, after: Callable[[Line], None] = _nothing) -> None:
        self._path = path
        self._life = life
        self._after = after
        self._one = threading.Lock()

    def note(self, what: str, *, key: str = "") -> bool:
        """A change was made; gives back whether it counted.

        Args:
            what: the same text in every run of the scenario: no time, no random id.
            key: as with a bank that takes an idempotency key: a second change with the same key changes nothing.
        """
        line = self._line("noted", EFFECT.get(), what=what, key=key)
        with self._one:
            counts = not key or all(one.key != key for one in self.lines())
            self._write(line if counts else attrs.evolve(line, kind="again"))
        self._after(line)
        return counts

    def count(self, what: str) -> int:
        """How often that change was made: for who plays the person that looks it up."""
        return sum(one.what == what for one in self.changes())

    def changes(self) -> list[Line]:
        """The changes, in order."""
        return [line for line in self.lines() if line.kind == "noted"]

    def lines(self) -> list[Line]:
        """Every line, in the order of writing."""
        if not self._path.exists():
            return []
        return [msgspec.json.decode(line, type=Line) for line in self._path.read_bytes().splitlines()]

    def began(self, effect: Effect) -> None:
        """For the kit: the effect's call begins here and now."""
        EFFECT.set(effect)
        self._write(self._line("began", effect))

    def closed(self, effects: Iterable[str]) -> None:
        """For the kit: these effects are over, on disk."""
        for effect in effects:
            self._write(Line(kind="closed", life=self._life, effect=effect))

    def _line(self, kind: LineKind, effect: Effect | None, what: str = "", key: str = "") -> Line:
        if effect is None:
            turn = CURRENT.get()
            return Line(kind=kind, life=self._life, actor="" if turn is None else turn.actor, what=what, key=key)
        return Line(
            kind=kind,
            life=self._life,
            effect=effect.id,
            actor=effect.actor,
            runner=effect.runner,
            rerun=effect.on_interrupt is OnInterrupt.RERUN,
            what=what,
            key=key,
        )

    def _write(self, line: Line) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
            if line.kind == "noted":  # the kit's own lines need to outlive the process only, not the machine
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
