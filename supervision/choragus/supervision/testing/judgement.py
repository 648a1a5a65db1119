"""What must be true of a scenario that was killed: compared with the same scenario undisturbed. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from .errors import ScenarioFault
from .ledger import Line
from .order import OVERDUE, Witness
from .trial import Trial

OPENED = "system.opened"
"""A line for each opening: the only kind of the kernel's own that a crash alone makes more of."""

COUNTED = re.compile(r"!\d+\.\d+|host:\d+#\d+")
"""Ids in a line's body that count turns or openings, of which a recovery takes more."""

SHOWN = 300

LogLine = tuple[str, str, str]


@attrs.frozen(kw_only=True)
class Baseline:
    """The scenario undisturbed: its witness, and its changes to the world."""

    witness: Witness
    changes: Counter[str]


@attrs.frozen(kw_only=True)
class Tolerance:
    """What is compared of the logbook.

    Args:
        allowed: kinds of which an interruption may make more or fewer lines.
        bodies: kinds whose bodies are compared too; of the others only the number.
    """

    allowed: frozenset[str]
    bodies: frozenset[str]


def baseline_of(first: Trial, second: Trial, name: str, tolerance: Tolerance) -> Baseline:
    """What two undisturbed runs have in common.

    Raises:
        ScenarioFault: when one fails, or when they differ where crashed runs are compared.
    """
    seen: list[Witness] = []
    for trial in (first, second):
        if trial.witness is None:
            raise ScenarioFault(f"the scenario {name} fails undisturbed: {_end(trial)}")
        seen.append(trial.witness)
    changes = [_changes(trial.lines) for trial in (first, second)]
    for what, one, other in (
        ("outcome", seen[0].outcome, seen[1].outcome),
        ("changes in the ledger", dict(changes[0]), dict(changes[1])),
        ("logbook", *(dict(_counted(each, tolerance)) for each in seen)),
    ):
        if one != other:
            raise ScenarioFault(
                f"the scenario {name} is another each time, so that nothing can be compared: undisturbed its {what} "
                f"was {_short(one)} and then {_short(other)}: leave times, random ids and races out"
            )
    if undone := unkept(first):
        raise ScenarioFault(f"the scenario {name} breaks its promises undisturbed: {'; '.join(undone)}")
    return Baseline(witness=seen[0], changes=changes[0])


def faults(trial: Trial, baseline: Baseline, tolerance: Tolerance) -> tuple[str, ...]:
    """Every promise that the trial saw broken, a sentence each; empty when all was kept."""
    if trial.witness is None:
        return (f"it did not go on: {_end(trial)}", *unkept(trial))
    found = [*_of_the_world(trial, baseline.changes), *unkept(trial)]
    if trial.witness.outcome != baseline.witness.outcome:
        found.append(f"another outcome: {_short(trial.witness.outcome)} in place of {_short(baseline.witness.outcome)}")
    found += _of_the_log(trial.witness, baseline.witness, tolerance)
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
            ": done outside any effect, so again when its turn is lost: "
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
    closed: dict[str, int] = {}
    began: dict[str, int] = {}
    for line in trial.lines:
        if line.kind == "closed":
            closed.setdefault(line.effect, line.life)
        elif line.kind == "began":
            name = f"the effect {line.effect} ({line.runner!r})"
            if line.life > closed.get(line.effect, line.life):
                found.append(f"{name} was over, on disk, and ran again")
            elif line.effect in began and not line.rerun:
                found.append(f"{name} cannot be undone, was interrupted, and ran again")
            elif began.get(line.effect) == line.life:
                found.append(f"{name} ran twice in one process")
            began[line.effect] = line.life
    return found


def _of_the_log(witness: Witness, undisturbed: Witness, tolerance: Tolerance) -> Iterator[str]:
    here, there = _counted(witness, tolerance), _counted(undisturbed, tolerance)
    for line in sorted(here.keys() | there.keys()):
        if here[line] != there[line]:
            stream, kind, body = line
            yield (
                f"the logbook has {kind} {_times(here[line])}, undisturbed {_times(there[line])}"
                f"{f', {_short(body)}' if body else ''} (stream {stream})"
            )


def _counted(witness: Witness, tolerance: Tolerance) -> Counter[LogLine]:
    return Counter(
        (stream, kind, COUNTED.sub("!", body) if kind in tolerance.bodies else "")
        for stream, kind, body in witness.log
        if kind != OPENED and kind not in tolerance.allowed
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
