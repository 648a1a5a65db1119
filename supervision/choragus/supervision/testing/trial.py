"""A scenario that is killed, and run again on the same file until it comes to its end."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Protocol

import attrs

from .ledger import Ledger, Line
from .order import KILLED, Ended, Order, Witness
from .point import Plan, told


class Runs(Protocol):
    """Runs one life after the other."""

    def run(self, order: Order) -> Ended: ...


@attrs.frozen(kw_only=True)
class Trial:
    """What was seen of one plan: how each life ended, what was about to happen where it died, and the ledger."""

    plan: Plan
    lives: tuple[Ended, ...]
    graves: tuple[str, ...]
    lines: tuple[Line, ...]
    printed: str

    @property
    def kills(self) -> int:
        """How many of its processes died as planned."""
        return len(self.graves)

    @property
    def last(self) -> Ended:
        """How it came to its end."""
        return self.lives[-1]

    @property
    def witness(self) -> Witness | None:
        """What the last life told; None when it failed."""
        return self.last.witness

    def __str__(self) -> str:
        where = "; then ".join(self.graves)
        return f"{told(self.plan) or 'undisturbed'}{f' ({where})' if where else ''}"


def try_out(server: Runs, folder: Path, plan: Plan, patience: float) -> Trial:
    """Kill the scenario at one point after the other, and let it go on to its end, in a folder that is gone then."""
    folder.mkdir(parents=True)
    try:
        return _tried(server, folder, plan, patience)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _tried(server: Runs, folder: Path, plan: Plan, patience: float) -> Trial:
    order = Order(folder=folder, life=1, point=plan[0] if plan else None, patience=patience)
    lives = [server.run(order)]
    graves: list[str] = []
    while lives[-1].code == KILLED and order.grave.exists():
        graves.append(order.grave.read_text(encoding="utf-8"))
        order = attrs.evolve(order, life=order.life + 1, point=plan[order.life] if order.life < len(plan) else None)
        lives.append(server.run(order))
    printed = "".join(map(_printed, sorted(folder.glob("printed-*"))))
    lines = tuple(Ledger(order.ledger).lines())
    return Trial(plan=plan, lives=tuple(lives), graves=tuple(graves), lines=lines, printed=printed)


def _printed(file: Path) -> str:
    text = file.read_text(encoding="utf-8", errors="replace")
    return f"--- process {file.name.partition('-')[2]}\n{text}" if text else ""
