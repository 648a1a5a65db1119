"""Whether a call may be looked at by anybody: granted, few enough, small enough, and of its tool's schema. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from enum import Enum

import attrs
import msgspec

from .errors import BadArguments
from .tool import Tool
from .toolbelt.options import LARGEST_ARGUMENTS

LONGEST_NAME = 100
"""Characters of a tool's name that are repeated to the model."""


class Rule(Enum):
    """What a refused call was against."""

    GRANT = "grant"
    ARGUMENTS = "arguments"
    CALLS_PER_RUN = "calls_per_run"


@attrs.frozen
class Refusal:
    """Why a call is not looked at; the model reads the reason, and can mend the call."""

    rule: Rule
    reason: str

    @property
    def is_bad(self) -> bool:
        """Whether the model has written what it could have known to be wrong."""
        return self.rule is not Rule.CALLS_PER_RUN


def narrowed(granted: Sequence[str] | None, to: Sequence[str]) -> tuple[str, ...]:
    """The names that are in both; grants only ever shrink."""
    return tuple(to if granted is None else (name for name in granted if name in to))


def admitted(
    tools: Sequence[Tool],
    name: str,
    arguments: Mapping[str, object],
    counts: Mapping[str, int],
    *granted: Collection[str] | None,
) -> Tool | Refusal:
    """The tool that may be called so, or why it may not.

    Args:
        tools: what the agent has been granted.
        counts: how often a tool was called in this run so far.
        granted: what the run, and the step, have been granted of these; None: all.
    """
    open_to = [one for one in tools if all(some is None or one.name in some for some in granted)]
    tool = next((one for one in open_to if one.name == name), None)
    if tool is None:
        return Refusal(Rule.GRANT, _no_grant(name, tools, [one.name for one in open_to]))
    try:
        tool.parse(arguments)
    except BadArguments as error:
        return Refusal(Rule.ARGUMENTS, str(error))
    limit, used = tool.options.calls_per_run, counts.get(name, 0)
    if limit is not None and used >= limit:
        times = "once" if limit == 1 else f"{limit:,} times"
        return Refusal(Rule.CALLS_PER_RUN, f"{name} may be called {times} in a run, and was: go on without it")
    return tool


def shown(arguments: Mapping[str, object]) -> dict[str, object]:
    """The arguments as the logbook has them; what is too large for any call is not repeated there."""
    size = len(msgspec.json.encode(arguments))
    return dict(arguments) if size <= LARGEST_ARGUMENTS else {"(left out)": f"{size:,} bytes"}


def _no_grant(name: str, tools: Sequence[Tool], granted: Sequence[str]) -> str:
    name = name[:LONGEST_NAME]
    meant = unicodedata.normalize("NFKC", name)
    names = ", ".join(granted) or "none"
    if meant != name and any(one.name == meant for one in tools):
        return f"{name!a} only looks like the name of a tool; the tools are: {names}"
    if any(one.name == name for one in tools):
        return f"the tool {name!r} is not granted here; the tools are: {names}"
    shown = repr(name) if name.isprintable() and name.isascii() else ascii(name)
    return f"there is no tool named {shown}; the tools are: {names}"
