"""How an agent plans: how long its plans may be, by what steps are checked, and what happens where one fails."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from hashlib import sha256
from typing import TypeAlias

import msgspec
from attrs import asdict, field, frozen

from choragus.agents.description import dedented
from choragus.agents.errors import AgentFault
from choragus.agents.toolbelt.source import source_hash

from .recovery import Fallback, Recovery, UseAgent, UseModel, UseTool
from .step import PlanStep

JSON_KINDS = ("object", "array", "string", "number", "integer", "boolean")

RUNTIME_TOOLS = ("propose_plan", "revise_plan", "fail_step")
"""The names of the tools by which a model plans; an agent that plans has none of its own by these."""


@frozen(kw_only=True)
class StepResult:
    """What a tool gave back in an attempt of a step; `arguments` are those that the model asked with."""

    tool: str
    arguments: Mapping[str, object]
    text: str
    is_error: bool


Predicate: TypeAlias = Callable[[str, Sequence[StepResult]], "bool | str"]


@frozen(kw_only=True)
class Planning:
    """How an agent plans; `Agent(planning=Planning())` makes each of its runs follow a plan.

    >>> Planning(recoveries={"pay-*": Recovery(retries=0)}).recovery_of(PlanStep("pay-1", "Pay.")).retries
    0

    Args:
        steps: the most steps that a plan may have; 1,000 by default.
        revisions: how often the model may revise its plan; 20 by default.
        proposes: whether the model proposes a plan where none was given at the start; True by default.
        recovery: what happens where a step fails.
        recoveries: the same for some steps: by a pattern of their ids (`pay-*`), or behind "done " of what proves
            them done (`done called pay`). The first that fits counts.
        checks: functions that say whether a step is done, of what was said and what the tools gave back: True, or why
            not. They have to be pure.
        types: types that what was said may have to fit, by name.

    Raises:
        AgentFault: an argument is none of these.
    """

    steps: int = 1_000
    revisions: int = 20
    proposes: bool = True
    recovery: Recovery = field(factory=Recovery)
    recoveries: Mapping[str, Recovery] = field(factory=dict)
    checks: Mapping[str, Predicate] = field(factory=dict)
    types: Mapping[str, object] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for name, value, least in (("steps", self.steps, 1), ("revisions", self.revisions, 0)):
            if type(value) is not int or value < least:
                raise AgentFault(f"Planning({name}={value!r}): give a whole number, {least} or more")
        for where, one in (("recovery", self.recovery), *self.recoveries.items()):
            if not isinstance(one, Recovery):
                raise AgentFault(f"the recovery {where!r} of Planning is {one!r}: give Recovery(...)")
        for name, check in self.checks.items():
            is_plain = inspect.isfunction(check) or inspect.ismethod(check)
            if not is_plain or inspect.iscoroutinefunction(check):
                raise AgentFault(
                    f"the check {name!r} of Planning is {check!r}: give a plain function of (outcome, results)"
                )
        for name, wanted in self.types.items():
            _check_type(name, wanted)

    def recovery_of(self, step: PlanStep) -> Recovery:
        """What happens where that step fails."""
        for pattern, recovery in self.recoveries.items():
            name, of = (pattern[5:], step.done.text) if pattern.startswith("done ") else (pattern, step.id)
            if fnmatchcase(of, name):
                return recovery
        return self.recovery

    def fallbacks(self) -> Iterable[Fallback]:
        """All that any step may fall back on."""
        for recovery in (self.recovery, *self.recoveries.values()):
            yield from recovery.fallback

    def identity(self) -> dict[str, object]:
        """What of it shapes a run, in JSON values, for the manifest."""
        return {
            "steps": self.steps,
            "revisions": self.revisions,
            "proposes": self.proposes,
            "recovery": _said(self.recovery),
            "recoveries": [[name, _said(one)] for name, one in self.recoveries.items()],
            "checks": {name: source_hash(check) for name, check in self.checks.items()},
            "types": {name: _schema_hash(wanted) for name, wanted in self.types.items()},
        }


def check_planning(
    agent: str, planning: object, tools: Iterable[str], models: int, prefixes: tuple[str, ...] = ()
) -> None:
    """Refuse what no agent can plan with, and what it falls back on and does not have.

    Args:
        prefixes: how the names of tools may begin that are not known yet, those of servers.

    Raises:
        AgentFault: with what is wrong.
    """
    if planning is None:
        return
    if not isinstance(planning, Planning):
        raise AgentFault(f"the planning of agent {agent!r} is {planning!r}: give Planning(...)")
    names = list(tools)
    for name in RUNTIME_TOOLS:
        if name in names:
            raise AgentFault(f"agent {agent!r} plans by the runtime's own {name}: give its tool {name!r} another name=")
    for one in planning.fallbacks():
        if isinstance(one, UseTool) and one.tool not in names and not one.tool.startswith(prefixes):
            raise AgentFault(
                f"{one!r} of agent {agent!r} names no tool of it: the tools are {', '.join(names) or 'none'}"
            )
        if isinstance(one, UseModel) and not (type(one.model) is int and 0 <= one.model < models):
            raise AgentFault(f"{one!r} of agent {agent!r} is no place among its {models} models: see fallbacks=")


def check_helpers(agent: str, planning: Planning | None, known: Iterable[str]) -> None:
    """Refuse agents to fall back on that the runtime does not have.

    Raises:
        AgentFault: with the name.
    """
    for one in () if planning is None else planning.fallbacks():
        if isinstance(one, UseAgent) and one.agent not in known:
            raise AgentFault(f"agent {agent!r} falls back on agent {one.agent!r}: pass it in Runtime(agents=[...])")


def check_server_tools(agent: str, planning: Planning | None, server: str, prefix: str, tools: Iterable[str]) -> None:
    """Refuse to fall back on tools of a server that it does not offer.

    Raises:
        AgentFault: with the name.
    """
    names = list(tools)
    for one in () if planning is None else planning.fallbacks():
        if isinstance(one, UseTool) and one.tool.startswith(prefix) and one.tool not in names:
            raise AgentFault(
                f"{one!r} of agent {agent!r} names no tool of server {server!r}: it offers {', '.join(names) or 'none'}"
            )


def _check_type(name: str, wanted: object) -> None:
    if name in JSON_KINDS:
        raise AgentFault(f"the type {name!r} of Planning has the name of a kind of JSON: give it another")
    try:
        msgspec.json.Decoder(wanted)
        _schema_hash(wanted)
    except (TypeError, ValueError, RuntimeError) as error:
        raise AgentFault(
            f"the type {name!r} of Planning is {wanted!r}, which nothing can be held against: {error}"
        ) from (error)


def _said(recovery: Recovery) -> dict[str, object]:
    ways = [{"way": one.told, **asdict(one)} for one in recovery.fallback]
    return {
        "retries": recovery.retries,
        "fallback": ways,
        "then": recovery.then,
        "tool_errors": recovery.tool_errors,
    }


def _schema_hash(wanted: object) -> str:
    return sha256(msgspec.json.encode(dedented(msgspec.json.schema(wanted)), order="sorted")).hexdigest()
