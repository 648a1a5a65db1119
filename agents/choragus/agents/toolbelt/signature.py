"""What a function takes and gives back: its parameters as a schema, its result as a type to be checked against."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, Never, NoReturn, get_args, get_origin, get_type_hints

import msgspec
from attrs import frozen

from choragus.agents.description import dedented
from choragus.agents.errors import ToolFault

from .context import ToolContext

CONTEXT = "context"
OF_MSGSPEC = (TypeError, ValueError, RuntimeError, OverflowError)

_UNCHECKED = (object, Any, Never, NoReturn)


@frozen(kw_only=True)
class Signature:
    """`result` decodes what the function gives back, None when it does not say what that is.

    `resources` is the X of `ToolContext[X]`, None without one.
    """

    arguments: type[msgspec.Struct]
    result: msgspec.json.Decoder[object] | None
    wants_context: bool
    resources: object


def signature(called: str, function: Callable[..., object]) -> Signature:
    """The signature of the function of the tool of that name.

    Raises:
        ToolFault: a parameter or its type, or that of the result, is none that a tool can have.
    """
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise ToolFault(
            f"the type hints of tool {called!r} cannot be read ({error}): use names defined at the top of its module"
        ) from error
    wants_context, resources = False, None
    found: dict[str, object] = {}
    for parameter in inspect.signature(function).parameters.values():
        _check_parameter(called, parameter, hints)
        hint = hints[parameter.name]
        if _is_context(hint):
            wants_context, resources = True, next(iter(get_args(hint)), None)
        else:
            found[parameter.name] = hint
    return Signature(
        arguments=_arguments(called, function, found),
        result=_result(called, hints),
        wants_context=wants_context,
        resources=None if resources is object else resources,
    )


def schema(called: str, arguments: type[msgspec.Struct]) -> dict[str, object]:
    """The object schema itself instead of a reference to it; `$defs` holds what it refers to in turn."""
    try:
        document = msgspec.json.schema(arguments)
    except OF_MSGSPEC as error:
        raise _no_schema(called, error) from error
    definitions = dict(document["$defs"])
    schema = dict(definitions.pop(document["$ref"].removeprefix("#/$defs/")))
    schema.pop("title", None)
    for each in msgspec.structs.fields(arguments):
        if each.default is not msgspec.NODEFAULT:
            # A set has another order in each process, and the schema is part of a run's identity.
            schema["properties"][each.name]["default"] = msgspec.to_builtins(each.default, order="sorted")
    return dedented({**schema, "$defs": definitions} if definitions else schema)


def _check_parameter(called: str, parameter: inspect.Parameter, hints: Mapping[str, object]) -> None:
    where = f"parameter {parameter.name!r} of tool {called!r}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ToolFault(f"{where} takes any number of values: name each parameter, so that the schema can list it")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ToolFault(f"{where} is positional-only: drop the '/', arguments are given by name")
    if parameter.name not in hints:
        raise ToolFault(f"{where} has no type hint: add one, the schema is made from it")
    hint = hints[parameter.name]
    is_forged = _is_context(hint) and (parameter.name, parameter.kind) != (CONTEXT, parameter.KEYWORD_ONLY)
    if is_forged or any(map(_is_context, get_args(hint))):
        raise ToolFault(f"{where} is a ToolContext the model would have to invent: write '*, context: ToolContext'")


def _is_context(hint: object) -> bool:
    return hint is ToolContext or get_origin(hint) is ToolContext


def _arguments(called: str, function: Callable[..., object], hints: Mapping[str, object]) -> type[msgspec.Struct]:
    parameters = inspect.signature(function).parameters
    fields = [
        (name, hint) if parameters[name].default is inspect.Parameter.empty else (name, hint, parameters[name].default)
        for name, hint in hints.items()
    ]
    try:
        return msgspec.defstruct(called, fields, kw_only=True, forbid_unknown_fields=True)
    except OF_MSGSPEC as error:
        raise _no_schema(called, error) from error


def _result(called: str, hints: Mapping[str, object]) -> msgspec.json.Decoder[object] | None:
    hint = hints.get("return", object)
    if get_origin(hint) in (Awaitable, Coroutine):
        hint = get_args(hint)[-1]
    if hint in _UNCHECKED:
        return None
    try:
        decoder = msgspec.json.Decoder(hint)
        _check_public(msgspec.inspect.type_info(hint), set())
        return decoder
    except OF_MSGSPEC as error:
        reason = " ".join(str(error).split())
        raise ToolFault(
            f"what tool {called!r} gives back cannot be checked against its return type ({reason}): use text, numbers, "
            "lists, dictionaries, dates, enums, attrs classes or dataclasses, or `-> object` to have it unchecked"
        ) from error


def _check_public(node: object, seen: set[object]) -> None:
    """Refuse a class with private fields, anywhere in a type: they are not written as JSON, and so not read back.

    Raises:
        TypeError: there is one.
    """
    if isinstance(node, msgspec.inspect.DataclassType):
        if node.cls in seen:
            return
        seen.add(node.cls)
        for each in node.fields:
            if each.name.startswith("_"):
                raise TypeError(f"{node.cls.__name__} has the private field {each.name}")
    inner = [getattr(node, name) for name in getattr(node, "__struct_fields__", ()) if name != "default"]
    for one in inner:
        for each in one if isinstance(one, tuple) else (one,):
            if isinstance(each, msgspec.inspect.Type | msgspec.inspect.Field):
                _check_public(each, seen)


def _no_schema(called: str, error: Exception) -> ToolFault:
    reason = " ".join(str(error).split())
    return ToolFault(
        f"no JSON Schema can be made for tool {called!r} ({reason}): use text, numbers, lists, dictionaries, dates, "
        "enums, attrs classes or dataclasses as types, and defaults that cannot be changed in place"
    )
