"""Models by their names: `openai:gpt-5-mini` is `OpenAIModel("gpt-5-mini")`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, cast

from choragus.agents.errors import AgentFault, SecretFault
from choragus.agents.model import Model

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "choragus.models"
"""Entry points of installed packages: each is named after a provider and makes a Model of a model's name."""

Maker = Callable[[str], Model]

BUILT_IN: Mapping[str, str] = {"anthropic": "AnthropicModel", "openai": "OpenAIModel"}
"""The classes of the providers that come with the library; each stands in the module that is named as its provider."""


def model_named(name: str) -> Model:
    """The model of a name such as `anthropic:claude-sonnet-4-5`, with every option as by default.

    Raises:
        AgentFault: the name is none, no such provider is known, or its model cannot be had as things are.
        ImportError: the provider's extra is not installed.
    """
    provider, colon, model = name.partition(":")
    if not (provider and colon and model):
        raise AgentFault(f"{name!r} names no model: give a provider and a model, such as 'openai:gpt-5-mini'")
    maker = _built_in(provider) or _installed(provider)
    if maker is None:
        known = ", ".join(sorted({*BUILT_IN, *(each.name for each in _entry_points())}))
        raise AgentFault(
            f"{name!r}: no provider {provider!r} is known (there are: {known}); for an endpoint that speaks OpenAI's "
            "format pass OpenAIModel(..., base_url=...)"
        )
    try:
        made = maker(model)
    except SecretFault as error:
        raise AgentFault(f"{name!r} cannot be had: {error.reason}") from None
    if not isinstance(made, Model):
        raise AgentFault(f"{name!r}: what the installed provider {provider!r} made is {made!r}, no Model")
    return made


def _built_in(provider: str) -> Maker | None:
    name = BUILT_IN.get(provider)
    return None if name is None else cast(Maker, getattr(import_module(f".{provider}", __package__), name))


def _installed(provider: str) -> Maker | None:
    for each in _entry_points():
        if each.name == provider:
            return cast(Maker, each.load())
    return None


def _entry_points() -> tuple[EntryPoint, ...]:
    from importlib.metadata import entry_points  # it brings much of email and zipfile

    return tuple(entry_points(group=GROUP))
