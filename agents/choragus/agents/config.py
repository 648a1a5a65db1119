"""One TOML file of what agents may use, whom they ask, and what they are answered by: checked whole, and hashed.

[agent.clerk]
model = "openai:gpt-5-mini"
limits = { steps = 30, cost_usd = 0.5, at_limit = "ask" }

[agent.clerk.approvals]
within = 3600
default = "escalate"
chain = ["mia", ["cfo", "ceo"]]

[agent.clerk.tools.pay]
calls_per_run = 3
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar

import attrs

from .agent import Agent
from .config_source import ConfigSource
from .configuration.overriding import overridden
from .configuration.partial import Partial
from .configuration.section import SECTIONS, Routing
from .configuration.spot import Spot, spots
from .configuration.value import table, text
from .errors import AgentFault, ConfigFault, PolicyFault
from .knowledge.declaration import Library
from .model import Model
from .model_gateway.options import ProviderLimits
from .policy.chain import Policy
from .policy.config import load_policies, read_policies
from .provider.registry import model_named
from .tool import Tool

MODELS = ("model", "fallbacks", "cheaper")

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Config:
    """A configuration file that was read and found to be right; `load_config` makes it.

    `source` is its name and `hash` the SHA-256 of what was read: of the file, and of the file of policies where it
    names one. `policies` stand before those of each agent that it makes; give a runtime the others:

        Runtime(agents=[config.agent("clerk")], providers=config.providers, libraries=config.libraries)
    """

    source: str
    hash: str
    policies: tuple[Policy, ...] = ()
    providers: Mapping[str, ProviderLimits] = attrs.field(factory=dict)
    libraries: tuple[Library, ...] = ()
    routing: Routing = attrs.field(factory=Routing)
    _agents: Mapping[str, Mapping[str, object]] = attrs.field(factory=dict)
    _spot: Spot = attrs.field(eq=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The agents that it has a table of."""
        return tuple(self._agents)

    def agent(self, name: str, *, models: Mapping[str, Model] | None = None, **code: object) -> Agent:
        """The agent of that table, with what the code gives beside it.

        Each thing is said in one place: what stands in the file and is given here too must be the same, or it is an
        error. Policies add up: the file's for all, the file's for this agent, those of the code. A tool's table stands
        over what the tool declares. Of `planning` and `context` the file may say some fields, and the code the others.

        Args:
            models: the models that stand behind texts of the file. Other texts are names, such as "openai:gpt-5-mini".
            code: further arguments of Agent: prompt, tools, checkpoints, and whatever the file does not say.

        Raises:
            ConfigFault: when the file has no such agent, or contradicts the code, or configures a tool that the agent
                does not have.
            AgentFault: as Agent.
        """
        spot = self._spot.at("agent", name)
        if name not in self._agents:
            raise self._spot.fault(f"there is no [agent.{name}]: there are {', '.join(self.names) or 'none'}")
        models = models or {}
        said = {**self._routed(name, code), **self._agents[name]}
        tools, own = said.pop("tools", {}), _listed("policies", said, object)
        joined = {
            key: one.joined(spot.at(key), code.get(key), models)
            for key, one in said.items()
            if isinstance(one, Partial)
        }
        self._check_same(name, {key: one for key, one in said.items() if key not in ("policies", *joined)}, code)
        named = {
            key: _resolved(self._place(name, key), said[key], models)
            for key in MODELS
            if key in said and key not in code
        }
        given = {**said, **named, **code, **joined}
        given["tools"] = self._tools(spot.at("tools"), _listed("tools", code, Tool), table(spot.at("tools"), tools))
        given["policies"] = (*self.policies, *own, *_listed("policies", code, object))
        made = Agent(name, configured=ConfigSource(self.source, self.hash), **{**given, "planning": None})
        return _planning(spot.at("planning"), made, given.get("planning"), joined)

    def _check_same(self, name: str, said: Mapping[str, object], code: Mapping[str, object]) -> None:
        for key, value in code.items():
            if key in said and not _same(value, said[key]):
                raise self._place(name, key).fault(
                    f"the code gives {key}={_told(value)}, and the file {said[key]!r}: say it in one place"
                )

    def _place(self, name: str, key: str) -> Spot:
        """Where it is said of the agent."""
        if key in self._agents[name]:
            return self._spot.at("agent", name, key)
        is_own = key == "model" and name in self.routing.agents
        return self._spot.at("routing", "agents", name) if is_own else self._spot.at("routing", key)

    def _routed(self, name: str, code: Mapping[str, object]) -> dict[str, object]:
        """The models that routing has for it; those for all give way to what is said of the agent."""
        routing = self.routing
        general = {key: getattr(routing, key) for key in MODELS if key not in code}
        routed = {key: one for key, one in general.items() if one is not None}
        if name in routing.agents:
            routed["model"] = routing.agents[name]
        if "fallbacks" in routed:  # no model is a fallback of itself
            own = code.get("model", self._agents[name].get("model", routed.get("model")))
            routed["fallbacks"] = tuple(one for one in routed["fallbacks"] if not _same(own, one))
        return routed

    def _tools(self, spot: Spot, tools: Iterable[Tool], said: Mapping[str, object]) -> tuple[Tool, ...]:
        listed = tuple(tools)
        names = [one.name for one in listed]
        for name in said:
            if name not in names:
                raise spot.at(name).fault(f"the agent has no tool {name!r}: it has {', '.join(names) or 'none'}")
        return tuple(
            overridden(spot.at(one.name), one, table(spot.at(one.name), said[one.name])) if one.name in said else one
            for one in listed
        )


def load_config(source: str | os.PathLike[str], *, name: str = "config") -> Config:
    """The configuration of a TOML file, or of a text with at least one line break.

    Args:
        source: a path, or the text itself.
        name: what a text is called in errors; a file is called by its path.

    Raises:
        ConfigFault: when anything in it is wrong, missing or unknown. Nothing is loaded then.
        OSError: when the file cannot be read.
    """
    if isinstance(source, str) and "\n" in source:
        place, read, folder = name, source.encode(), Path()
    else:
        place, read, folder = os.fspath(source), Path(source).read_bytes(), Path(source).parent
    try:
        said = read.decode("utf-8-sig")
        document = tomllib.loads(said)
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML, or a number or a depth that nobody reads
        raise ConfigFault(place, f"no TOML in UTF-8: {error}") from None
    top = spots(place, said)
    policies, beside = _policies(top, said, document.pop("policies", {}), folder)
    for key in document:
        if key not in SECTIONS:
            raise top.at(key).fault(f"unknown table; known are {', '.join((*SECTIONS, 'policies'))}")
    sections = {key: SECTIONS[key](top.at(key), value) for key, value in document.items()}
    config = Config(
        source=place,
        hash=hashlib.sha256(read + beside).hexdigest(),
        policies=policies,
        providers=sections.get("provider", {}),  # type: ignore[arg-type]  # what their readers give
        libraries=tuple(sections.get("library", {}).values()),  # type: ignore[attr-defined]
        routing=sections.get("routing", Routing()),  # type: ignore[arg-type]
        agents=sections.get("agent", {}),  # type: ignore[arg-type]
        spot=top,
    )
    _check_routing(config, top)
    return config


def _policies(top: Spot, said: str, tables: object, folder: Path) -> tuple[tuple[Policy, ...], bytes]:
    """Those that stand in the file, or in one that it names, and the bytes of that."""
    spot = top.at("policies")
    found = table(spot, tables)
    try:
        if "file" not in found:
            return tuple(read_policies(top.file, said, found, "policies.")), b""
        if len(found) > 1:
            raise spot.fault("write either file = ... or the policies themselves")
        path = folder / text(spot.at("file"), found["file"])
        try:
            return tuple(load_policies(path)), b"\0" + path.read_bytes()
        except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
            why = error.strerror if isinstance(error, OSError) else error
            raise spot.at("file").fault(f"{str(path)!r} cannot be read ({why}): give its path") from None
    except PolicyFault as error:
        raise ConfigFault(error.place, error.detail) from None


def _check_routing(config: Config, top: Spot) -> None:
    for name in config.routing.agents:
        spot = top.at("routing", "agents", name)
        if name not in config.names:
            raise spot.fault(f"there is no [agent.{name}]: there are {', '.join(config.names) or 'none'}")
        if "model" in config._agents[name]:
            raise spot.fault(f"its model stands in [agent.{name}] too: say it in one place")


def _planning(spot: Spot, agent: Agent, planning: object, joined: Mapping[str, object]) -> Agent:
    """The agent with that planning; what it lacks for it is told with the file's place where the file says it."""
    if planning is None:
        return agent
    try:
        return attrs.evolve(agent, planning=planning)  # type: ignore[arg-type]  # as Agent checks it
    except AgentFault as error:
        if "planning" not in joined:
            raise
        raise spot.fault(str(error)) from None


def _resolved(spot: Spot, said: object, models: Mapping[str, Model]) -> object:
    if isinstance(said, tuple):
        return tuple(_resolved(spot, one, models) for one in said)
    if said in models or not isinstance(said, str):
        return models.get(str(said), said)
    try:
        return model_named(said)
    except AgentFault as error:
        raise spot.fault(f"{error}; or give the model that it stands for in models=") from None


def _same(given: object, said: object) -> bool:
    """Whether the code says what the file says; a model is known by its name, with or without its provider."""
    if isinstance(said, tuple) and isinstance(given, Iterable) and not isinstance(given, str):
        listed = tuple(given)
        return len(listed) == len(said) and all(map(_same, listed, said))
    if isinstance(said, str) and isinstance(given, Model):
        return said in (given.name, f"{given.provider}:{given.name}")
    return given is said or given == said


def _told(value: object) -> str:
    return repr(value.name) if isinstance(value, Model) else repr(value)


def _listed(key: str, code: Mapping[str, object], kind: type[T]) -> tuple[T, ...]:
    given = code.get(key, ())
    found = tuple(given) if isinstance(given, Iterable) else (given,)
    if not isinstance(given, Iterable) or not all(isinstance(one, kind) for one in found):
        raise AgentFault(f"{key}={given!r}: give a list of them")
    return tuple(one for one in found if isinstance(one, kind))
