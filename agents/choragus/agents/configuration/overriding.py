"""What a configuration says of a tool: how often, how fast and how many at once. What it may do stays in code."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from choragus.agents.errors import AgentError
from choragus.agents.flow.committing import commit_plan
from choragus.agents.question import ask_person
from choragus.agents.tool import Tool
from choragus.agents.toolbelt.options import Breaker, Rate, Retry, checked

from .spot import Spot
from .value import Reader, built, fields, named, plain, unless_false

TOOL: Mapping[str, Reader] = {
    "timeout": plain,
    "retries": unless_false(built(Retry, short="times")),
    "concurrency": plain,
    "rate": unless_false(built(Rate)),
    "breaker": unless_false(built(Breaker)),
    "calls_per_run": plain,
    "max_arguments": plain,
    "max_result": plain,
}
"""The keys of a tool's table."""


def overrides(spot: Spot, value: object) -> dict[str, object]:
    """What a tool's table says."""
    found = fields(spot, value, TOOL)
    seconds = found.get("timeout", 1.0)
    if isinstance(seconds, bool) or not (isinstance(seconds, int | float) and 0 < seconds < float("inf")):
        raise spot.at("timeout").fault(f"{seconds!r} is no time: give seconds, above 0 and finite")
    try:
        checked(spot.path[-1], {name: one for name, one in found.items() if name != "timeout"})
    except AgentError as error:
        raise named(spot, found, str(error)).fault(str(error)) from None
    return found


def overridden(spot: Spot, tool: Tool, found: Mapping[str, object]) -> Tool:
    """The tool with these options in place of what it declares; its identity changes with them."""
    if tool is ask_person or tool is commit_plan:
        raise spot.fault(f"{tool.name} is the runtime's own: leave it out")
    options = {name: one for name, one in found.items() if name != "timeout"}
    return attrs.evolve(
        tool,
        timeout=float(str(found.get("timeout", tool.timeout))),
        options=attrs.evolve(tool.options, **options),  # type: ignore[arg-type]  # checked when they were read
    )
