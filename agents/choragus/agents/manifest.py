"""What a run ran on, as one content hash: the same in every process, another when anything in it changes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cached_property

import msgspec
from attrs import field, frozen

from .agent import Agent
from .approver import Approvals
from .errors import AgentFault
from .limits import Limits
from .model import Model, ToolSchema
from .model_gateway.options import ModelOptions
from .policy.chain import Policy
from .success import identity_of
from .tool import Tool


@frozen(kw_only=True)
class ToolIdentity:
    """A tool in a manifest: its risk, and hashes (SHA-256, hexadecimal) of what the model is told and of its source.

    `options` are those that are not as by default, and what helps it, as `Tool.declared` says them.
    """

    name: str
    risk: str
    schema: str
    source: str
    options: dict[str, object] = field(factory=dict)


@frozen
class PolicyIdentity:
    """A policy in a manifest."""

    name: str
    version: str


@frozen(kw_only=True)
class ModelIdentity:
    """One of the further models in a manifest."""

    provider: str
    model: str
    settings: dict[str, object]


@frozen(kw_only=True)
class Manifest:
    """The identity of an agent at one time.

    Tools stand in the order of their names, so their order does not matter; policies in the order in which they judge.
    `prompt`, `template` and `output` are digests: of the prompt's text, of the template that it was made from, and of
    the schema of the answers; the last two are empty where there is none.
    """

    agent: str
    provider: str
    model: str
    settings: dict[str, object]
    prompt: str
    tools: tuple[ToolIdentity, ...]
    limits: Limits
    delegates: tuple[str, ...] = ()
    policies: tuple[PolicyIdentity, ...] = ()
    cheaper: ModelIdentity | None = None
    fallbacks: tuple[ModelIdentity, ...] = ()
    approvals: Approvals = field(factory=Approvals)
    template: str = ""
    output: str = ""
    repairs: int = 0
    context: dict[str, object] | None = None
    model_options: ModelOptions = field(factory=ModelOptions)
    planning: dict[str, object] | None = None
    success: dict[str, object] | None = None

    @cached_property
    def hash(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the manifest as JSON with sorted keys."""
        return _hash(self.as_dict())

    def as_dict(self) -> dict[str, object]:
        """The manifest in plain JSON types, keys sorted, to be stored and compared.

        Of what an agent does not use nothing is said, so that its identity is that of earlier versions.
        """
        plain: dict[str, object] = msgspec.json.decode(_json(self))
        plain.pop("hash", None)  # it is no field, and there once somebody has asked for it
        tools = plain["tools"]
        assert isinstance(tools, list)
        plain["tools"] = [{name: each for name, each in tool.items() if each != {}} for tool in tools]
        return {
            name: value
            for name, value in plain.items()
            if value is not None or name not in ("context", "planning", "success")
        }


def manifest(agent: Agent[object], common: Sequence[Policy] = ()) -> Manifest:
    """The agent's manifest; `common` are the policies of the runtime, which stand before its own.

    Raises:
        AgentFault: the model's settings hold what JSON cannot carry.
    """
    return Manifest(
        agent=agent.name,
        provider=agent.model.provider,
        model=agent.model.name,
        settings=_settings(agent.name, agent.model),
        prompt=agent.prompt.digest,
        tools=tuple(_identity(each) for each in sorted(agent.tools, key=lambda each: each.name)),
        limits=agent.limits,
        delegates=tuple(sorted(agent.delegates)),
        cheaper=None if agent.cheaper is None else _model(agent.name, agent.cheaper),
        fallbacks=tuple(_model(agent.name, each) for each in agent.fallbacks),
        policies=tuple(PolicyIdentity(each.name, each.version) for each in (*common, *agent.every_policy)),
        approvals=agent.approvals,
        template=agent.prompt.template.digest if agent.prompt.template else "",
        output=agent.typed.digest if agent.typed else "",
        repairs=agent.repairs if agent.typed else 0,
        context=None if agent.context is None else agent.context.identity(),
        model_options=agent.model_options,
        planning=None if agent.planning is None else agent.planning.identity(),
        success=None if agent.success is None else identity_of(agent.success),
    )


def _model(agent: str, model: Model) -> ModelIdentity:
    return ModelIdentity(provider=model.provider, model=model.name, settings=_settings(agent, model))


def _settings(agent: str, model: Model) -> dict[str, object]:
    settings = model.settings()
    try:
        plain: dict[str, object] = msgspec.json.decode(_json(settings))
    except (TypeError, ValueError, OverflowError) as error:
        raise AgentFault(
            f"the model settings of agent {agent!r} are {settings!r} ({error}): let settings() give JSON values"
        ) from error
    return plain


def _identity(tool: Tool) -> ToolIdentity:
    return ToolIdentity(
        name=tool.name,
        risk=tool.risk.value,
        schema=schema_hash(tool.schema),
        source=tool.own_source,
        options=tool.declared(),
    )


def schema_hash(schema: ToolSchema) -> str:
    """What the schema of a tool is known by: name, description and parameters, as the model is shown them."""
    return _hash(schema)


def _hash(value: object) -> str:
    return hashlib.sha256(_json(value)).hexdigest()


def _json(value: object) -> bytes:
    return msgspec.json.encode(value, order="sorted")
