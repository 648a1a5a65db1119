"""A scenario whose storage calls go wrong, and that is started again until it comes to its end.

It runs on the library's own fork server, ledger and judgement (`choragus.supervision.testing`), so the points here are
further ones of the same kind: a storage call in place of a transaction.
"""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import attrs
import msgspec

from choragus.mailbox.errors import ChoragusError
from choragus.supervision.testing.fork_server import ForkServer
from choragus.supervision.testing.judgement import Baseline, Tolerance, faults
from choragus.supervision.testing.ledger import Ledger
from choragus.supervision.testing.order import KILLED, OVERDUE, RAISED, Ended, Order, Scenario
from choragus.supervision.testing.trial import Trial

from .acknowledged import LOST
from .interposer import Interposer, Kind, Shot
from .person import alarms, looked_up

DATABASE = "scenario.db"
RESTARTS = 4
"""Plain restarts after which it is stuck. One is enough as long as nothing else goes wrong."""
PATIENCE = 20.0


class Raised(msgspec.Struct, frozen=True):
    """What a life ended with: the class, whether it is one of ours, and its text."""

    life: int
    type: str
    is_ours: bool
    text: str


@attrs.frozen(kw_only=True)
class Plan:
    """What goes wrong in the first life, in the second, and so on; of the calls of these kinds.

    Args:
        log: whether every call is written down in `calls.log`.
        gives_up: seconds after which the operator kills a system that has said that it waits for its disk.
    """

    lives: tuple[tuple[Shot, ...], ...] = ()
    kinds: Kind = Kind.ANY
    log: bool = False
    gives_up: float | None = None

    def __str__(self) -> str:
        counted = "" if self.kinds == Kind.ANY else f" of the {self.kinds.name} calls"
        return f"{'; then '.join(', '.join(map(str, shots)) for shots in self.lives) or 'undisturbed'}{counted}"


@attrs.frozen(kw_only=True)
class Seen:
    """What became of a plan.

    Args:
        hits: the calls that a shot hit, as the interposer wrote them down.
        raised: what the lives ended with that raised.
        calls: how many were counted in the last life.
        damage: what SQLite's own check finds, read by somebody else.
        settled: how many calls of unknown outcome a person looked up.
        alarms: what the system said of its disk while it waited for it, as an event or, while it opened, in the log.
    """

    plan: Plan
    trial: Trial
    hits: tuple[str, ...]
    raised: tuple[Raised, ...]
    calls: int
    damage: str
    settled: int
    alarms: tuple[str, ...]

    @property
    def lives(self) -> tuple[Ended, ...]:
        """How each process ended."""
        return self.trial.lives

    @property
    def is_noticed(self) -> bool:
        """Whether an error, or the system's word that it waits for its disk, told of it."""
        return bool(self.raised or self.alarms)

    @property
    def run_again(self) -> int:
        """Effects that may run again, and did."""
        began = [line.effect for line in self.trial.lines if line.kind == "began"]
        return len(began) - len(set(began))

    @property
    def is_stuck(self) -> bool:
        """Whether it did not come to its end."""
        return self.lives[-1].code != 0


def try_out(server: ForkServer, folder: Path, plan: Plan, *, keep: bool = False) -> Seen:
    """Carry out a plan in a folder of its own, and start the program again until it ends."""
    folder.mkdir(parents=True)
    try:
        lives: list[Ended] = []
        while len(lives) < len(plan.lives) + RESTARTS:
            _prepare(folder, plan, len(lives))
            is_planned = len(lives) < len(plan.lives)
            patience = plan.gives_up if is_planned and plan.gives_up else PATIENCE
            lives.append(server.run(Order(folder=folder, life=len(lives) + 1, point=None, patience=patience)))
            if lives[-1].code == 0 or (lives[-1].code == OVERDUE and patience == PATIENCE):
                break
        return _seen(folder, plan, tuple(lives))
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, plan: Plan, life: int) -> None:
    shots = plan.lives[life] if life < len(plan.lives) else ()
    order = _Shots(life=life + 1, shots=list(shots), kinds=int(plan.kinds), log=plan.log)
    (folder / "shots").write_bytes(msgspec.json.encode(order))


class _Shots(msgspec.Struct):
    life: int
    shots: list[Shot]
    kinds: int
    log: bool


async def shot_at(path: Path, ledger: Ledger, *, scenario: Scenario) -> object:
    """The scenario under the interposer, as the folder says; for `functools.partial` and a process of its own."""
    order = msgspec.json.decode(path.with_name("shots").read_bytes(), type=_Shots)
    interposer = Interposer()
    log = path.with_name("calls.log") if order.log else None
    interposer.begin(path.name, grave=path.with_name("hits"), log=log, kinds=Kind(order.kinds))
    for shot in order.shots:
        interposer.arm(shot)
    try:
        outcome = await scenario(path, ledger)
    except BaseException as error:
        with path.with_name("raised").open("ab") as file:
            file.write(msgspec.json.encode(_raised(order.life, error)) + b"\n")
        raise
    if not path.with_name("calls").exists():  # else the scenario counted itself
        path.with_name("calls").write_text(str(interposer.calls()))
    interposer.begin("")
    return outcome


def _raised(life: int, error: BaseException) -> Raised:
    leaves = _leaves(error)
    worst = next((one for one in leaves if not isinstance(one, ChoragusError)), leaves[0])
    kind = f"{type(worst).__module__}.{type(worst).__qualname__}"
    return Raised(life=life, type=kind, is_ours=isinstance(worst, ChoragusError), text=str(worst))


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for one in error.exceptions for leaf in _leaves(one)]
    return [error]


def _seen(folder: Path, plan: Plan, lives: tuple[Ended, ...]) -> Seen:
    hits = tuple(_text(folder / "hits").splitlines())
    trial = Trial(
        plan=(),
        lives=lives,
        graves=hits,
        lines=tuple(Ledger(folder / "ledger").lines()),
        printed="".join(map(_text, sorted(folder.glob("printed-*")))),
    )
    logged = [line for line in trial.printed.splitlines() if line.startswith("Degraded(")]
    return Seen(
        plan=plan,
        trial=trial,
        hits=hits,
        raised=tuple(msgspec.json.decode(line, type=Raised) for line in _text(folder / "raised").splitlines()),
        calls=int(_text(folder / "calls") or 0),
        damage=_damage(folder / DATABASE),
        settled=len(looked_up(folder)),
        alarms=(*alarms(folder), *logged),
    )


def _damage(database: Path) -> str:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=rw", uri=True)) as connection:
            (result,) = connection.execute("PRAGMA integrity_check").fetchone()
            return "" if result == "ok" else str(result)
    except sqlite3.Error as error:
        return str(error)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def broken(seen: Seen, baseline: Baseline, tolerance: Tolerance) -> list[str]:
    """Every promise that was broken, a sentence each: those of a crash, and what a fault at a call adds."""
    found = list(faults(seen.trial, baseline, tolerance))
    if seen.damage:
        found.append(f"SQLite finds the file damaged: {seen.damage}")
    for number, life in enumerate(seen.lives, 1):
        is_planned = number <= len(seen.plan.lives) and bool(seen.plan.lives[number - 1])
        if LOST in life.error:
            found.append(f"life {number}: {life.error.rstrip().splitlines()[-1]}")
        elif life.code == OVERDUE and not (is_planned and seen.plan.gives_up and seen.alarms):
            found.append(f"life {number} had not ended when its time was over, and had not said why")
        elif life.code not in (0, KILLED, OVERDUE) and not is_planned:
            found.append(f"life {number}, in which nothing was wrong, ended with {life.code}: {life.error[-1500:]}")
        elif life.code not in (0, KILLED, RAISED, OVERDUE):
            found.append(f"life {number} ended with {life.code}")
    found += [f"life {one.life} ended with {one.type}: {one.text}" for one in seen.raised if not one.is_ours]
    return [f"{seen.plan} ({'; '.join(seen.hits)}): {one}" for one in found]
