"""What entries come to as values of metrics."""

from __future__ import annotations

from . import convention as names
from .attribute import error_of_a_model_call, provider
from .convention import Convention
from .fact import Attributes, Fields, Point, number, text, whole


def of_a_model_call(fields: Fields, convention: Convention) -> list[Point]:
    """Its duration, its tokens, and what it cost."""
    about: Attributes = {
        names.OPERATION: names.CHAT,
        names.PROVIDER: provider(fields),
        names.MODEL: text(fields, "model"),
    }
    if "answered_by" in fields:
        about[names.RESPONSE_MODEL] = text(fields, "answered_by")
    error = error_of_a_model_call(fields)
    failed = {**about, names.ERROR_TYPE: error} if error else about
    points = [Point(convention.duration, number(fields, "ended") - number(fields, "started"), failed)]
    if error:
        return points
    if convention.tokens:
        counted = {field: metric for field, metric in convention.tokens.items() if field in fields}
        points += [Point(metric, whole(fields, field), about) for field, metric in counted.items()]
    else:
        for kind in ("input", "output"):
            count = whole(fields, f"{kind}_tokens")
            points.append(Point(names.TOKEN_USAGE, count, {**about, names.TOKEN_TYPE: kind}))
    agent = {names.AGENT: text(fields, "agent"), names.MODEL: text(fields, "model")}
    return [*points, Point(names.COST_METRIC, number(fields, "cost_usd"), {**agent})]


def of_a_tool_call(fields: Fields, error: str) -> list[Point]:
    """Its duration."""
    about: Attributes = {names.OPERATION: names.EXECUTE_TOOL, names.TOOL: text(fields, "tool")}
    if error:
        about[names.ERROR_TYPE] = error
    return [Point(names.TOOL_DURATION, number(fields, "ended") - number(fields, "started"), about)]


def of_a_run(agent: str, status: str, error: str, *, worked: float, inferences: int, tools: int) -> list[Point]:
    """One run at its end; `worked` is without the time that it stood still."""
    about: Attributes = {names.OPERATION: names.INVOKE_AGENT, names.AGENT: agent}
    failed = {**about, names.ERROR_TYPE: error} if error else about
    return [
        Point(names.AGENT_DURATION, worked, failed),
        Point(names.AGENT_INFERENCES, inferences, about),
        Point(names.AGENT_TOOLS, tools, about),
        Point(names.RUNS_ENDED, 1, {names.AGENT: agent, names.RUN_STATUS: status}),
    ]


def of_a_decision(fields: Fields, waited: float) -> list[Point]:
    """A person has decided, or the time was up."""
    about: Attributes = {names.APPROVED_TOOL: text(fields, "tool"), names.APPROVED: fields.get("approved") is True}
    return [Point(names.APPROVALS_DECIDED, 1, about), Point(names.APPROVAL_WAIT, waited, about)]
