"""What a model is told of the plan. Texts only: nothing that happens depends on them."""

from __future__ import annotations

from collections.abc import Iterable

from choragus.agents.tool import Tool

from .book import Book, StepState, StepStatus
from .planning import JSON_KINDS, Planning

ANSWER_FIRST = "There is no plan yet: call propose_plan, and say nothing else."


def asks_for_plan(tools: Iterable[Tool], planning: Planning) -> str:
    """What stands behind the goal when the model has to plan."""
    lines = [
        "First call propose_plan with the steps by which this goal is reached. They are taken one at a time, each when "
        "those that it comes after are over. For each say what proves it done: said (you say how it came out), called "
        "(a tool has returned, perhaps with given arguments), fits (what you say is JSON of a type)"
        + (", or check." if planning.checks else ".")
    ]
    known = [f"- {tool.name}: {tool.description}" for tool in tools]
    lines += ["The tools that steps may use:", *known] if known else ["There are no tools."]
    lines.append(f"Types: {', '.join((*planning.types, *JSON_KINDS))}.")
    if planning.checks:
        lines.append(f"Checks: {', '.join(planning.checks)}.")
    lines.append(f"A plan has at most {planning.steps:,} steps.")
    return "\n".join(lines)


def refused(what: str, faults: Iterable[str]) -> str:
    """Why a plan or a revision cannot stand."""
    return "\n".join([f"The {what} cannot stand, and nothing has changed:", *(f"- {one}" for one in faults)])


def asks_for_step(book: Book, status: StepStatus) -> str:
    """What the model is told when a step begins."""
    step = status.step
    over, total = book.over, len(book.steps)
    skipped = sum(one.state is StepState.SKIPPED for one in book.steps.values())
    lines = [f"Step {over + 1} of {total}, {step.id}: {step.goal}", _done(status)]
    if step.tools is not None:
        lines.append(f"Tools of this step: {', '.join(step.tools) or 'none'}.")
    missing = [id for id in step.after if book.steps[id].state is StepState.SKIPPED]
    if missing:
        lines.append(f"Go on without what was skipped: {', '.join(missing)}.")
    if skipped:
        lines.append(f"Steps skipped so far: {skipped}.")
    lines.append("Do this step only. Answer without a call when it is done, and say how it came out.")
    return "\n".join(lines)


def asks_again(status: StepStatus, why: str, by: str = "") -> str:
    """What the model is told when a step is tried again; `by` is the other way in which."""
    how = f", now with {by}" if by else ""
    return "\n".join(
        [f"Step {status.step.id} is not done: {why}", f"Try it again{how}: {status.step.goal}", _done(status)]
    )


def asks_for_answer(book: Book) -> str:
    """What the model is told behind the last step."""
    missing = [id for id, one in book.steps.items() if one.state is StepState.SKIPPED]
    more = f" These steps were skipped: {', '.join(missing[:20])}; say what is missing." if missing else ""
    return f"The plan is carried out.{more} Now give the final answer, without a call."


def asks_person(status: StepStatus) -> str:
    """The question to the person in whose hands a step is put."""
    return f"How did this step come out: {status.step.goal}"


def asks_what_becomes(status: StepStatus) -> str:
    """The question to the person to whom a step is escalated."""
    return f"Step {status.step.id} has failed ({status.step.goal}). Retry it, skip it, or end the run?"


def _done(status: StepStatus) -> str:
    done = status.step.done
    match done.kind:
        case "called":
            return f"It is done when {done.told.removeprefix('called ')} has been called and has returned."
        case "fits":
            return f"It is done when your answer is JSON of {done.name}, and nothing else."
        case "check":
            return f"It is done when the check {done.name} says so."
        case _:
            return "It is done when you have said how it came out."
