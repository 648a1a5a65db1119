"""What an agent is: a name, a model, a prompt, tools and limits. A value; nothing runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Generic, cast

from attrs import field, frozen
from attrs.converters import optional

from . import option
from .approver import Approvals
from .config_source import ConfigSource
from .errors import AgentFault
from .limits import Limits
from .mcp.separator import SEPARATOR
from .model import Model
from .model_gateway.options import ModelOptions
from .output import Output
from .prompt import Prompt
from .tool import Risk, Tool

if TYPE_CHECKING:  # a default of a TypeVar is known to type checkers on 3.11, and to the interpreter from 3.13 on
    from typing_extensions import TypeVar

    from .checkpoint import Checkpoint
    from .context.option import Context
    from .mcp.declaration import McpServer
    from .plan.planning import Planning
    from .policy.chain import Policy
    from .success import Success

    T_co = TypeVar("T_co", covariant=True, default=str)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

REPAIRS = 2
"""How often an answer that is not of its type is sent back, unless the agent says otherwise."""

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _as_prompt(prompt: Prompt | str) -> Prompt:
    return Prompt(prompt) if isinstance(prompt, str) else prompt


def _as_tuple(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    return tuple(tools) if isinstance(tools, Iterable) else tools


def _as_model(model: Model | str) -> Model:
    return option.model_named(model) if isinstance(model, str) else model


def _as_models(models: Iterable[Model | str]) -> tuple[Model, ...]:
    if isinstance(models, str):
        raise AgentFault(f"fallbacks={models!r} is a text: give a list, such as [{models!r}]")
    return tuple(map(_as_model, models)) if isinstance(models, Iterable) else models


def _as_servers(servers: Iterable[McpServer]) -> tuple[McpServer, ...]:
    return tuple(servers) if isinstance(servers, Iterable) else servers


def _as_names(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(names) if isinstance(names, Iterable) and not isinstance(names, str) else names  # type: ignore[return-value]  # checked below


def _as_policies(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    return tuple(policies) if isinstance(policies, Iterable) else policies


def _as_values(values: Mapping[str, str]) -> Mapping[str, str]:
    return dict(values) if isinstance(values, Mapping) else values


def _as_checkpoints(points: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
    return tuple(points) if isinstance(points, Iterable) else points


@frozen
class Agent(Generic[T_co]):
    """An agent, put together from parts that can each be tried alone: an `Agent[Report]` answers with a Report.

    >>> from choragus.agents.scripted import ScriptedModel
    >>> Agent("helper", model=ScriptedModel(["Take one."]), prompt="Be brief.").prompt.text
    'Be brief.'

    Args:
        name: letters, digits, `_`, `.` and `-`, at most 64. Stored runs find their agent by it.
        model: what answers: a Model, or the name of one, such as "openai:gpt-5-mini"; see `docs/models.md`.
        prompt: what the model is told before the goal; a text stands for a Prompt.
        tools: what it may call, each made by @tool. Nothing else can be called.
        delegates: names of tools that its sub-runs may have though it does not call them itself. What is neither among
            its tools nor named here no run below one of its runs can call.
        limits: the ceilings of each run; see Limits for those there are by default.
        fallbacks: the models that answer when `model` cannot, in this order.
        model_options: how its models are called: retries, timeouts, hedging, streaming.
        cheaper: the model that gives the last answer where `Limits(at_limit="degrade")`; by default `model`.
        policies: what judges its goal, replies, calls, results and answer, behind the runtime's own policies.
        approvals: who is asked, how long they have, and what happens when nobody decides.
        checkpoints: where a person is always asked.
        planning: how its runs plan, and what happens where a step fails; None: they follow no plan.
        context: what the model sees of a long run, and how that is kept within a budget; by default the whole
            conversation. With blocks that may be edited the agent gets the tools `edit_block` and `append_to_block`.
        output: the type of its answers, text by default; see `docs/output.md`.
        repairs: how often a run's answer that is not of that type is sent back (2); the next such answer fails the run.
        variables: the values of the prompt's variables, by name.
        configured: the file that it was configured from, as `Config.agent` says it; no part of its identity.
        servers: the MCP servers whose tools it may call too, by the names `server__tool`; see `docs/mcp.md`.
        episodes: whether each of its runs leaves a record of its outcome, for `runtime.episodes(agent)`.
        success: what success is, for having ended is not having succeeded: a function of the `EndedRun` that gives True
            or False, a type that the answer is of, or a `Judge`; see `docs/evaluation.md`. None: nothing is declared.

    Raises:
        AgentFault: a part is of a wrong type, the name is badly formed, two tools share a name, no model of that name
            can be had, or a variable of the prompt has no value or is none.
        ImportError: the model's provider needs an extra.
    """

    name: str
    model: Model = field(kw_only=True, converter=_as_model)
    prompt: Prompt = field(kw_only=True, default=Prompt(""), converter=_as_prompt)
    tools: tuple[Tool, ...] = field(kw_only=True, default=(), converter=_as_tuple)
    delegates: tuple[str, ...] = field(kw_only=True, default=(), converter=_as_names)
    limits: Limits = field(kw_only=True, factory=Limits)
    policies: tuple[Policy, ...] = field(kw_only=True, default=(), converter=_as_policies)
    fallbacks: tuple[Model, ...] = field(kw_only=True, default=(), converter=_as_models)
    cheaper: Model | None = field(kw_only=True, default=None, converter=optional(_as_model))
    approvals: Approvals = field(kw_only=True, factory=Approvals)
    checkpoints: tuple[Checkpoint, ...] = field(kw_only=True, default=(), converter=_as_checkpoints)
    output: type[T_co] = field(kw_only=True, default=cast("type[T_co]", str))
    repairs: int = field(kw_only=True, default=REPAIRS)
    variables: Mapping[str, str] = field(kw_only=True, factory=dict, converter=_as_values, eq=False)
    context: Context | None = field(kw_only=True, default=None)
    model_options: ModelOptions = field(kw_only=True, factory=ModelOptions)
    planning: Planning | None = field(kw_only=True, default=None)
    configured: ConfigSource | None = field(kw_only=True, default=None)
    servers: tuple[McpServer, ...] = field(kw_only=True, default=(), converter=_as_servers)
    episodes: bool = field(kw_only=True, default=False)
    success: Success | None = field(kw_only=True, default=None)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        if self.context is not None and isinstance(self.tools, tuple):
            object.__setattr__(self, "tools", _with_block_tools(self.context, self.tools))
        for model in self.models:
            _check_model(self.name, model)
        if self.cheaper is not None:
            _check_model(self.name, self.cheaper)
        _check_tools(self.name, self.tools)
        _check_delegates(self.name, self.delegates)
        check_policies(f"the policies of agent {self.name!r}", self.policies)
        if not isinstance(self.prompt, Prompt):
            raise AgentFault(f"the prompt of agent {self.name!r} is {self.prompt!r}: give a str or a Prompt")
        if not isinstance(self.limits, Limits):
            raise AgentFault(f"the limits of agent {self.name!r} are {self.limits!r}: give Limits(...)")
        if not isinstance(self.model_options, ModelOptions):
            raise AgentFault(
                f"the model options of agent {self.name!r} are {self.model_options!r}: give ModelOptions()"
            )
        _check_approvals(self.name, self.approvals, self.tools)
        _check_servers(self.name, self.servers, self.approvals)
        names, prefixes = [tool.name for tool in self.tools], tuple(f"{one.name}{SEPARATOR}" for one in self.servers)
        if self.checkpoints != ():
            option.check_checkpoints(self.name, self.checkpoints, [*names, *self._of_servers(prefixes)])
        if self.planning is not None:
            option.check_planning(self.name, self.planning, names, len(self.models), prefixes)
        _check_output(self.name, self.output, self.repairs)
        _check_told(self.name, self.episodes, self.configured)
        if self.success is not None:
            option.check_success(self.name, self.success)
        _ = self.typed
        object.__setattr__(self, "prompt", self.prompt.with_values(self.variables))
        if self.context is not None:
            shown = [tool.schema for tool in self.tools]
            option.check_context(self.name, self.context, self.prompt, shown, self.typed.asked if self.typed else None)

    @cached_property
    def typed(self) -> Output[T_co] | None:
        """Of what type its answers are; None for text."""
        return None if self.output is str else Output(self.output)

    def _of_servers(self, prefixes: tuple[str, ...]) -> list[str]:
        """The names in its checkpoints that are those of servers' tools, which nobody knows before they are there."""
        points = self.checkpoints if isinstance(self.checkpoints, tuple) else ()
        named = [point.tool for point in points if isinstance(point, option.Before | option.After)]
        return [name for name in named if name.startswith(prefixes)]

    @property
    def reach(self) -> tuple[str, ...]:
        """The names of all tools that its runs, and those below them, may call."""
        return tuple(dict.fromkeys([*(tool.name for tool in self.tools), *self.delegates]))

    @property
    def every_policy(self) -> tuple[Policy, ...]:
        """Its policies, and behind them its checkpoints."""
        return (*self.policies, option.Checkpoints(self.checkpoints)) if self.checkpoints else self.policies

    @property
    def models(self) -> tuple[Model, ...]:
        """What answers: first the model, then its fallbacks."""
        return (self.model, *self.fallbacks)

    @property
    def last_model(self) -> Model:
        """What answers when a ceiling leaves room for one answer only."""
        return self.model if self.cheaper is None else self.cheaper

    @property
    def last_models(self) -> tuple[Model, ...]:
        """What answers there: first that, then the fallbacks."""
        return (self.last_model, *self.fallbacks)


def _with_block_tools(context: object, tools: tuple[Tool, ...]) -> tuple[Tool, ...]:
    has_editable_blocks = isinstance(context, option.Context) and context.has_editable_blocks
    return option.with_block_tools(tools) if has_editable_blocks else tools


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AgentFault(f"{name!r} is no name for an agent: give 1 to 64 letters, digits, '_', '.' or '-'")


def _check_output(agent: str, output: object, repairs: object) -> None:
    if output is None:
        raise AgentFault(f"output=None of agent {agent!r} is no type: leave it out for answers that are text")
    if type(repairs) is not int or repairs < 0:
        raise AgentFault(f"repairs={repairs!r} of agent {agent!r} must be a whole number, 0 or more")


def _check_told(agent: str, episodes: object, configured: object) -> None:
    if not isinstance(episodes, bool):
        raise AgentFault(f"episodes={episodes!r} of agent {agent!r} is neither True nor False")
    if configured is not None and not isinstance(configured, ConfigSource):
        raise AgentFault(
            f"configured={configured!r} of agent {agent!r} is no ConfigSource: load_config(FILE).agent({agent!r}, ...) "
            "makes an agent from a file"
        )


def _check_delegates(agent: str, delegates: object) -> None:
    if not isinstance(delegates, tuple) or not all(isinstance(name, str) and name for name in delegates):
        raise AgentFault(f"the delegates of agent {agent!r} are {delegates!r}: give a list of names of tools")


def _check_model(agent: str, model: object) -> None:
    if isinstance(model, type) or not isinstance(model, Model):
        raise AgentFault(
            f"the model of agent {agent!r} is {model!r}: pass a Model such as FunctionModel(...), or a name such as "
            "'openai:gpt-5-mini'"
        )


def _check_tools(agent: str, tools: object) -> None:
    if not isinstance(tools, tuple):
        raise AgentFault(f"the tools of agent {agent!r} are {tools!r}: give a list of tools")
    for each in tools:
        if not isinstance(each, Tool):
            raise AgentFault(f"the tool {each!r} of agent {agent!r} is no Tool: put @tool(risk=...) above the function")
    twice = [name for name, times in Counter(each.name for each in tools).items() if times > 1]
    if twice:
        raise AgentFault(f"agent {agent!r} has several tools named {twice[0]!r}: give all but one another name=")


def _check_approvals(agent: str, approvals: object, tools: Iterable[Tool]) -> None:
    if not isinstance(approvals, Approvals):
        raise AgentFault(f"the approvals of agent {agent!r} are {approvals!r}: give Approvals(...)")
    risky = [tool.name for tool in tools if tool.risk is Risk.IRREVERSIBLE]
    if approvals.default == "allow" and risky:
        raise AgentFault(
            f"agent {agent!r} has the irreversible tool {risky[0]!r}, which no lapse of time may allow: "
            "give Approvals(default='deny') or 'escalate'"
        )


def _check_servers(agent: str, servers: object, approvals: Approvals) -> None:
    if not isinstance(servers, tuple) or not all(isinstance(one, option.McpServer) for one in servers):
        raise AgentFault(f"the servers of agent {agent!r} are {servers!r}: give a list of McpServer(...)")
    twice = [name for name, times in Counter(one.name for one in servers).items() if times > 1]
    if twice:
        raise AgentFault(f"agent {agent!r} has several servers named {twice[0]!r}: give all but one another name")
    for server in servers:
        if approvals.default == "allow" and not server.is_always_reversible:
            raise AgentFault(
                f"agent {agent!r} has the server {server.name!r}, whose tools may be irreversible, and these no lapse "
                "of time may allow: give Approvals(default='deny') or 'escalate'"
            )


def check_policies(which: str, policies: object) -> None:
    """Refuse what are no policies, and two of one name.

    Raises:
        AgentFault: with what is wrong.
    """
    if not isinstance(policies, tuple):
        raise AgentFault(f"{which} are {policies!r}: give a list of policies")
    for each in policies:
        if isinstance(each, type) or not isinstance(each, option.Policy):
            raise AgentFault(f"{each!r} among {which} is no policy: it needs name, version, stages, looks_back, judge")
    twice = [name for name, times in Counter(each.name for each in policies).items() if times > 1]
    if twice:
        raise AgentFault(f"several of {which} are named {twice[0]!r}: give all but one another name")


def agents_by_name(agents: Iterable[Agent[object]]) -> dict[str, Agent[object]]:
    """The agents of a runtime.

    Raises:
        AgentFault: when one is none, or two share a name.
    """
    found: dict[str, Agent[object]] = {}
    for agent in agents:
        if not isinstance(agent, Agent):
            raise AgentFault(f"{agent!r} is no Agent: pass Runtime(agents=[Agent(...)])")
        if agent.name in found:
            raise AgentFault(f"two agents are named {agent.name!r}: rename one")
        found[agent.name] = agent
    for agent in found.values():
        if agent.planning is not None:
            option.check_helpers(agent.name, agent.planning, found)
    return found


def check_start(known: Mapping[str, Agent[object]], agent: object, goal: object, key: object) -> None:
    """Refuse to start what is none of a runtime's agents, or with a goal or key that is no text.

    Raises:
        AgentFault: with what is wrong.
    """
    if not isinstance(agent, Agent):
        raise AgentFault(f"{agent!r} is no Agent: start one of those passed in Runtime(agents=[...])")
    there = known.get(agent.name)
    if there is None:
        raise AgentFault(f"agent {agent.name!r} is not among this runtime's: pass it in Runtime(agents=[...])")
    if there is not agent:
        raise AgentFault(f"another agent of this runtime is named {agent.name!r}: start that one, or rename one")
    if not isinstance(goal, str) or not isinstance(key, str):
        raise AgentFault(f"goal={goal!r} and key={key!r} must both be text")
