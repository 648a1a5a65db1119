"""What must be true of a scenario that was killed: compared with the same scenario undisturbed. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

import attrs

from .errors import ScenarioFault
from .ledger import Line
from .order import OVERDUE, Witness
from .trial import Trial

T = TypeVar("T")

OPENED = "system.opened"
"""A line for each opening: the only kind of the kernel's own that a crash alone makes more of."""

COUNTED = re.compile(r"!\d+\.\d+|host:\d+#\d+")
"""Ids in a line's body that count turns or openings, of which a recovery takes more."""

SHOWN = 300

LogLine = tuple[str, str, str]


@attrs.frozen(kw_only=True)
class Baseline:
    """The scenario undisturbed: its witness, its changes to the world, and its logbook.

    Args:
        steady: the (stream, kind) whose bodies are the same in every run; of the others only the number is compared.
    """

    witness: Witness
    changes: Counter[str]
    steady: frozenset[tuple[str, str]]


def baseline_of(first: Trial, second: Trial, name: str) -> Baseline:
    """What two undisturbed runs have in common.

    Raises:
        ScenarioFault: when one fails, or when they differ where crashed runs are compared.
    """
    seen = []
    for trial in (first, second):
        if trial.witness is None:
            raise ScenarioFault(f"the scenario {name} fails undisturbed: {_end(trial)}")
        seen.append(trial.witness)
    changes = [_changes(trial.lines) for trial in (first, second)]
    for what, one, other in (
        ("outcome", seen[0].outcome, seen[1].outcome),
        ("changes in the ledger", dict(changes[0]), dict(changes[1])),
        ("kinds in the logbook", *(dict(Counter(kind for _, kind, _ in each.log)) for each in seen)),
    ):
        if one != other:
            raise ScenarioFault(
                f"the scenario {name} is another each time, so that nothing can be compared: undisturbed its {what} "
                f"was {_short(one)} and then {_short(other)}: leave times, random ids and races out"
            )
    if undone := unkept(first):
        raise ScenarioFault(f"the scenario {name} breaks its promises undisturbed: {'; '.join(undone)}")
    bodies = [Counter(each.log) for each in map(_masked, seen)]
    moving = {line[:2] for line in (bodies[0] - bodies[1]) + (bodies[1] - bodies[0])}
    steady = frozenset(line[:2] for line in bodies[0] if line[:2] not in moving)
    return Baseline(witness=seen[0], changes=changes[0], steady=steady)


def _masked(witness: Witness) -> Witness:
    return attrs.evolve(witness, log=tuple((stream, kind, COUNTED.sub("!", body)) for stream, kind, body in witness.log))


def faults(trial: Trial, baseline: Baseline, allowed: Collection[str]) -> tuple[str, ...]:
    """Every promise that the trial saw broken, a sentence each; empty when all was kept.

    Args:
        allowed: kinds of the logbook of which an interruption may make more or fewer.
    """
    if trial.witness is None:
        return (f"it did not go on: {_end(trial)}", *unkept(trial))
    found = [*_of_the_world(trial, baseline.changes), *unkept(trial)]
    if trial.witness.outcome != baseline.witness.outcome:
        found.append(f"another outcome: {_short(trial.witness.outcome)} in place of {_short(baseline.witness.outcome)}")
    found += _of_the_log(trial.witness, baseline, allowed)
    if trial.witness.problems:
        found.append(f"the file does not verify: {'; '.join(trial.witness.problems)}")
    for name, here, there in (
        ("parked", trial.witness.parked, baseline.witness.parked),
        ("effects still open", trial.witness.unfinished, baseline.witness.unfinished),
    ):
        if len(here) != len(there):
            found.append(f"{name}: {_short(here)} in place of {_short(there)}")
    return tuple(found)


def _changes(lines: Iterable[Line]) -> Counter[str]:
    return Counter(line.what for line in lines if line.kind == "noted")


def _of_the_world(trial: Trial, wanted: Counter[str]) -> Iterator[str]:
    done = _changes(trial.lines)
    for what in sorted(wanted | done):
        if done[what] != wanted[what]:
            times = "never happened" if not done[what] else f"happened {_times(done[what])}"
            yield f"{what!r} {times}, undisturbed {_times(wanted[what])}{_why(trial.lines, what)}"


def _why(lines: Iterable[Line], what: str) -> str:
    by = [line for line in lines if line.kind == "noted" and line.what == what]
    if len(by) < 2:
        return ""
    if any(not line.effect for line in by):
        return (
            ": a handler or the host does it itself, and does it again when its turn is lost: "
            "make it an effect, self.effect('runner', request, ...), or give the outside a key"
        )
    if len({line.effect for line in by}) == 1 and by[0].rerun:
        return (
            f": the effect {by[0].runner!r} of {by[0].actor} is declared as rerunnable and is not idempotent: "
            "give the outside its id (EffectContext.id) as a key, or declare it OnInterrupt.UNKNOWN"
        )
    return f": by the effects {', '.join(sorted({line.effect for line in by}))}"


def unkept(trial: Trial) -> list[str]:
    """What the runtime itself promises of every effect: none runs once it is over, an irreversible one never twice."""
    found: list[str] = []
    closed: set[str] = set()
    began: dict[str, int] = {}
    for line in trial.lines:
        if line.kind == "closed":
            closed.add(line.effect)
        elif line.kind == "began":
            name = f"the effect {line.effect} ({line.runner!r})"
            if line.effect in closed:
                found.append(f"{name} was over, on disk, and ran again")
            elif line.effect in began and not line.rerun:
                found.append(f"{name} cannot be undone, was interrupted, and ran again")
            elif began.get(line.effect) == line.life:
                found.append(f"{name} ran twice in one process")
            began[line.effect] = line.life
    return found


def _of_the_log(witness: Witness, baseline: Baseline, allowed: Collection[str]) -> Iterator[str]:
    here = _counted(witness, baseline.steady, allowed)
    there = _counted(baseline.witness, baseline.steady, allowed)
    for line in sorted(here.keys() | there.keys()):
        if here[line] != there[line]:
            stream, kind, body = line
            yield (
                f"the logbook ({stream}) has {kind} {_times(here[line])}, undisturbed {_times(there[line])}"
                f"{f', {_short(body)}' if body else ''}"
            )


def _counted(witness: Witness, steady: frozenset[tuple[str, str]], allowed: Collection[str]) -> Counter[LogLine]:
    return Counter(
        (stream, kind, body if (stream, kind) in steady else "")
        for stream, kind, body in _masked(witness).log
        if kind != OPENED and kind not in allowed
    )


def _end(trial: Trial) -> str:
    if trial.last.code == OVERDUE:
        return f"it had not ended when its time was over (see timeout=) {_tail(trial.printed)}"
    return _tail(f"exit code {trial.last.code}; {trial.printed}{trial.last.error}")


def _tail(text: str) -> str:
    return text.rstrip()[-3000:]


def _times(number: int) -> str:
    return "once" if number == 1 else "never" if number == 0 else f"{number} times"


def _short(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
