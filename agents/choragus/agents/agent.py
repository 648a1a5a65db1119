"""What an agent is: a name, a model, a prompt, tools and limits. A value; nothing runs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from attrs import field, frozen

from .approver import Approvals
from .checkpoint import Checkpoint, Checkpoints, check_checkpoints
from .errors import AgentFault
from .limits import Limits
from .model import Model
from .policy.chain import Policy
from .prompt import Prompt
from .tool import Risk, Tool

_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


def _as_prompt(prompt: Prompt | str) -> Prompt:
    return Prompt(prompt) if isinstance(prompt, str) else prompt


def _as_tuple(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    return tuple(tools) if isinstance(tools, Iterable) else tools


def _as_policies(policies: Iterable[Policy]) -> tuple[Policy, ...]:
    return tuple(policies) if isinstance(policies, Iterable) else policies


def _as_checkpoints(points: Iterable[Checkpoint]) -> tuple[Checkpoint, ...]:
    return tuple(points) if isinstance(points, Iterable) else points


@frozen
class Agent:
    """An agent, put together from parts that can each be tried alone.

    >>> from choragus.agents.scripted import ScriptedModel
    >>> Agent("helper", model=ScriptedModel(["Take one."]), prompt="Be brief.").prompt.text
    'Be brief.'

    Args:
        name: letters, digits, `_`, `.` and `-`, at most 64. Stored runs find their agent by it.
        model: what answers.
        prompt: what the model is told before the goal; a text stands for a Prompt.
        tools: what it may call, each made by @tool. Nothing else can be called.
        limits: the ceilings of each run; 50 steps by default.
        policies: what judges its goal, replies, calls, results and answer, behind the runtime's own policies.
        approvals: who is asked, how long they have, and what happens when nobody decides.
        checkpoints: where a person is always asked.

    Raises:
        AgentFault: a part is of a wrong type, the name is badly formed, or two tools share a name.
    """

    name: str
    model: Model = field(kw_only=True)
    prompt: Prompt = field(kw_only=True, default=Prompt(""), converter=_as_prompt)
    tools: tuple[Tool, ...] = field(kw_only=True, default=(), converter=_as_tuple)
    limits: Limits = field(kw_only=True, factory=Limits)
    policies: tuple[Policy, ...] = field(kw_only=True, default=(), converter=_as_policies)
    approvals: Approvals = field(kw_only=True, factory=Approvals)
    checkpoints: tuple[Checkpoint, ...] = field(kw_only=True, default=(), converter=_as_checkpoints)

    def __attrs_post_init__(self) -> None:
        _check_name(self.name)
        _check_model(self.name, self.model)
        _check_tools(self.name, self.tools)
        check_policies(f"the policies of agent {self.name!r}", self.policies)
        if not isinstance(self.prompt, Prompt):
            raise AgentFault(f"the prompt of agent {self.name!r} is {self.prompt!r}: give a str or a Prompt")
        if not isinstance(self.limits, Limits):
            raise AgentFault(f"the limits of agent {self.name!r} are {self.limits!r}: give Limits(...)")
        _check_approvals(self.name, self.approvals, self.tools)
        check_checkpoints(self.name, self.checkpoints, (tool.name for tool in self.tools))

    @property
    def every_policy(self) -> tuple[Policy, ...]:
        """Its policies, and behind them its checkpoints."""
        return (*self.policies, Checkpoints(self.checkpoints)) if self.checkpoints else self.policies


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise AgentFault(f"{name!r} is no name for an agent: give 1 to 64 letters, digits, '_', '.' or '-'")


def _check_model(agent: str, model: object) -> None:
    if isinstance(model, str):
        raise AgentFault(
            f"the model of agent {agent!r} is the text {model!r}: providers come with a later release, "
            "pass a Model such as FunctionModel"
        )
    if isinstance(model, type) or not isinstance(model, Model):
        raise AgentFault(f"the model of agent {agent!r} is {model!r}: pass a Model such as FunctionModel(...)")


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


def check_policies(which: str, policies: object) -> None:
    """Refuse what are no policies, and two of one name.

    Raises:
        AgentFault: with what is wrong.
    """
    if not isinstance(policies, tuple):
        raise AgentFault(f"{which} are {policies!r}: give a list of policies")
    for each in policies:
        if isinstance(each, type) or not isinstance(each, Policy):
            raise AgentFault(f"{each!r} among {which} is no policy: it needs name, version, stages, looks_back, judge")
    twice = [name for name, times in Counter(each.name for each in policies).items() if times > 1]
    if twice:
        raise AgentFault(f"several of {which} are named {twice[0]!r}: give all but one another name")
