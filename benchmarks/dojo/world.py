"""A suite of AgentDojo as choragus sees it: its tools, wrapped, over one environment, and a ledger of what ran."""

# the library is there only when it is installed by hand, so these are errors or not depending on the environment
# mypy: disable-error-code="import-not-found,no-any-unimported,unused-ignore,misc"
from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Annotated, get_origin

import attrs
from agentdojo.functions_runtime import Function, FunctionCall, FunctionsRuntime, TaskEnvironment
from agentdojo.task_suite.load_suites import get_suites
from agentdojo.task_suite.task_suite import TaskSuite
from benchmarks.dojo.labels import TRAITS
from pydantic import BaseModel

from choragus.agents import Tool, ToolContext, tool

VERSION = "v1.2.2"


@attrs.frozen(eq=False)
class World:
    """One environment, the tools that change it, and the calls that have run, in order, by the runtime's ids."""

    suite: TaskSuite
    environment: TaskEnvironment
    ran: dict[str, FunctionCall] = attrs.field(factory=dict)

    def tools(self) -> list[Tool]:
        """The suite's tools, on this environment until another world of the suite asks for them."""
        _current[self.suite.name] = self
        if self.suite.name not in _tools:
            functions = FunctionsRuntime(self.suite.tools)
            _tools[self.suite.name] = [_wrapped(each, functions, self.suite.name) for each in self.suite.tools]
        return _tools[self.suite.name]


_current: dict[str, World] = {}
_tools: dict[str, list[Tool]] = {}


def suites() -> Mapping[str, TaskSuite]:
    """The four suites."""
    found: Mapping[str, TaskSuite] = get_suites(VERSION)
    return found


def plain(value: object) -> object:
    """The value as JSON values."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def _wrapped(function: Function, functions: FunctionsRuntime, suite: str) -> Tool:
    async def call(*, context: ToolContext, **arguments: object) -> object:
        world = _current[suite]
        result, _ = functions.run_function(world.environment, function.name, arguments, raise_on_error=True)
        world.ran[context.call] = FunctionCall(function=function.name, args=arguments)
        return plain(result)

    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for each in inspect.signature(function.run).parameters.values()
        if get_origin(each.annotation) is not Annotated
    ]
    told = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=ToolContext)
    call.__signature__ = inspect.Signature([*parameters, told])  # type: ignore[attr-defined]  # how `inspect` is told
    call.__annotations__ = {each.name: each.annotation for each in (*parameters, told)}
    call.__doc__ = function.description
    traits = TRAITS[function.name]
    return tool(risk=traits.risk, name=function.name, labels=traits.labels)(call)
