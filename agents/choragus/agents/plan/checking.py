"""Whether a plan, or a change of one, can stand. Pure; each fault is told so that whoever wrote it can mend it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from .book import Book, StepState
from .planning import JSON_KINDS, Planning
from .step import KINDS, Done, PlanStep, malformed

MOST_FAULTS = 10
"""Faults that are told at a time."""


def faults_of_plan(steps: Sequence[PlanStep], planning: Planning, tools: Collection[str]) -> list[str]:
    """What is wrong with a new plan; `tools` are those that the run may use."""
    if not steps:
        return ["the plan has no steps: give at least one"]
    found = [*_twice(steps), *_of_steps(steps, planning, tools)]
    return [*found, *_of_whole({one.id: one for one in steps}, planning)][:MOST_FAULTS]


def faults_of_revision(
    book: Book, steps: Sequence[PlanStep], drop: Sequence[str], planning: Planning, tools: Collection[str]
) -> list[str]:
    """What is wrong with new or changed steps, and with the ids of those that are to be dropped."""
    if not steps and not drop:
        return ["it changes nothing: give steps that are new or other than before, or drop some"]
    found = [*_twice(steps), *_of_steps(steps, planning, tools)]
    found += [fault for id in (*(one.id for one in steps), *drop) if (fault := _fixed(book, id))]
    found += [f"there is no step {id!r} to drop" for id in drop if id not in book.steps]
    found += [f"step {one.id!r} is given and dropped: do one of the two" for one in steps if one.id in drop]
    whole = {id: status.step for id, status in book.steps.items() if id not in drop}
    whole |= {one.id: one for one in steps}
    return [*found, *_of_whole(whole, planning)][:MOST_FAULTS]


def _twice(steps: Iterable[PlanStep]) -> list[str]:
    return [
        f"{times} steps have the id {id!r}: give each its own"
        for id, times in Counter(one.id for one in steps).items()
        if times > 1
    ]


def _fixed(book: Book, id: str) -> str:
    status = book.steps.get(id)
    if status is None or status.state is StepState.OPEN:
        return ""
    state = status.state.value
    return f"step {id!r} is {state}, and only an open step can be changed or dropped: add another step instead"


def _of_steps(steps: Iterable[PlanStep], planning: Planning, tools: Collection[str]) -> list[str]:
    found: list[str] = []
    for one in steps:
        if fault := malformed(one):
            found.append(fault)
            continue
        for name in one.tools or ():
            if name not in tools:
                found.append(f"step {one.id!r} wants the tool {name!r}; the tools are: {_listed(tools)}")
        if fault := _of_criterion(one, planning, tools):
            found.append(f"step {one.id!r}: {fault}")
    return found


def _of_criterion(step: PlanStep, planning: Planning, tools: Collection[str]) -> str:
    done: Done = step.done
    match done.kind:
        case "said":
            return f"done said takes no name, and has {done.name!r}" if done.name else ""
        case "called":
            if done.name not in tools:
                return f"done called names the tool {done.name!r}; the tools are: {_listed(tools)}"
            if step.tools is not None and done.name not in step.tools:
                return f"it is done by calling {done.name!r}, which is not among its tools {_listed(step.tools)}"
            return ""
        case "fits":
            known = [*planning.types, *JSON_KINDS]
            return "" if done.name in known else f"done fits names the type {done.name!r}; there are: {_listed(known)}"
        case "check":
            checks = list(planning.checks)
            return "" if done.name in checks else f"done check names {done.name!r}; there are: {_listed(checks)}"
        case _:
            return f"done is of kind {done.kind!r}; there are: {_listed(KINDS)}"


def _of_whole(steps: Mapping[str, PlanStep], planning: Planning) -> list[str]:
    found: list[str] = []
    if len(steps) > planning.steps:
        found.append(f"the plan has {len(steps):,} steps and may have {planning.steps:,}: join some")
    for one in steps.values():
        strange = [id for id in one.after if id not in steps]
        if strange:
            found.append(f"step {one.id!r} comes after {strange[0]!r}, and there is no such step")
    circle = circular(steps)
    if circle:
        found.append(f"these steps wait for one another: {_listed(circle[:10])}; let one of them begin")
    return found


def circular(steps: Mapping[str, PlanStep]) -> list[str]:
    """The ids of the steps that could never begin because they wait for one another, or for such."""
    waits = {id: {name for name in one.after if name in steps} for id, one in steps.items()}
    behind: dict[str, list[str]] = {}
    for id, names in waits.items():
        for name in names:
            behind.setdefault(name, []).append(id)
    free = [id for id, names in waits.items() if not names]
    while free:
        done = free.pop()
        del waits[done]
        for id in behind.get(done, ()):
            waits[id].discard(done)
            if not waits[id]:
                free.append(id)
    return list(waits)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
