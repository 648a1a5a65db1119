"""Which method handles which message: decided once, when the class is defined."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import TypeVar, Union, get_args, get_origin

import attrs

from .errors import HandlerFault

F = TypeVar("F", bound=Callable[..., object])
Names = Mapping[str, object]


@attrs.frozen
class Handler:
    """A method that takes one message; `is_async` says whether calling it gives a coroutine."""

    name: str
    function: Callable[..., object]
    is_async: bool


Table = Mapping[type, Handler]


def handle(function: F) -> F:
    """Mark a method as the handler of the message type that its one parameter is annotated with.

    `def` and `async def` both work. Its return value is the reply of an ask. Checked when the class is defined.
    """
    function.__dict__["__choragus_handler__"] = True
    return function


def reply(function: F) -> F:
    """Mark a method of a durable actor as one that replies and effect results may be sent to, by `then=`."""
    function.__dict__["__choragus_reply__"] = True
    return function


def replies(cls: type) -> frozenset[str]:
    """The names of the methods marked `@reply`.

    Raises:
        HandlerFault: when one takes not exactly one message.
    """
    found = {name: inspect.getattr_static(cls, name) for name in dir(cls)}
    names = frozenset(name for name, function in found.items() if getattr(function, "__choragus_reply__", False))
    for name in names:
        only_parameter(f"{cls.__name__}.{name}", name, found[name])
    return names


def handlers(cls: type, local: Names) -> Table:
    """The message types that the class handles.

    Args:
        local: the names visible where the class is defined, for annotations that are not module globals.

    Raises:
        HandlerFault: when a handler takes not exactly one annotated message, is a generator, or two take the same type.
    """
    table: dict[type, Handler] = {}
    for name in dir(cls):
        function = inspect.getattr_static(cls, name)
        if not getattr(function, "__choragus_handler__", False):
            continue
        for message in _message_types(cls, name, function, local):
            if message in table:
                raise HandlerFault(
                    f"{cls.__name__}.{table[message].name} and {cls.__name__}.{name} both handle "
                    f"{message.__name__}: keep one"
                )
            table[message] = Handler(name, function, inspect.iscoroutinefunction(function))
    return table


def check_declared(cls: type, declared: object, table: Table) -> None:
    """Compare what `Actor[M]` says with what the handlers take.

    Raises:
        HandlerFault: when a message of M has no handler, or a handler takes what M does not hold.
    """
    wanted = set(_members(declared))
    if any(isinstance(member, TypeVar) for member in wanted):
        return  # a generic class: its subclasses say the rest
    for missing in wanted - set(table):
        raise HandlerFault(f"{cls.__name__} says that it handles {_name(missing)}: add a @handle method for it")
    for extra in set(table) - wanted:
        raise HandlerFault(
            f"{cls.__name__}.{table[extra].name} handles {_name(extra)}, which Actor[...] of {cls.__name__} "
            "does not name: add it there"
        )


def declared_arguments(cls: type, base: type) -> tuple[object, ...] | None:
    """What the class gives to its generic base, also through generic classes between; None without any."""
    for parameterized in cls.__dict__.get("__orig_bases__", ()):
        origin = get_origin(parameterized)
        if origin is base:
            return get_args(parameterized)
        if isinstance(origin, type) and issubclass(origin, base):
            inner = declared_arguments(origin, base)
            if inner is not None:
                given = dict(zip(origin.__parameters__, get_args(parameterized), strict=True))  # type: ignore[attr-defined]  # generic
                return tuple(_filled_in(argument, given) for argument in inner)
    return None


def _filled_in(argument: object, given: Mapping[object, object]) -> object:
    """The argument with its type variables replaced."""
    if isinstance(argument, TypeVar):
        return given.get(argument, argument)
    open_ones: tuple[object, ...] = getattr(argument, "__parameters__", ())
    if not open_ones:
        return argument
    filled: object = argument[tuple(given.get(one, one) for one in open_ones)]  # type: ignore[index]  # a generic alias
    return filled


def _message_types(cls: type, name: str, function: Callable[..., object], local: Names) -> list[type]:
    where = f"{cls.__name__}.{name}"
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise HandlerFault(f"{where} yields: a handler returns its one reply")
    parameter = only_parameter(where, name, function)
    if parameter.annotation is inspect.Parameter.empty:
        raise HandlerFault(f"{where}: annotate its message, as in def {name}(self, message: SomeMessage)")
    annotated = types.SimpleNamespace(__annotations__={parameter.name: parameter.annotation})
    names: dict[str, object] = getattr(inspect.unwrap(function), "__globals__", {})
    try:
        annotation = typing.get_type_hints(annotated, globalns=names, localns=dict(local))[parameter.name]
    except NameError as error:
        raise HandlerFault(f"{where}: its annotation cannot be resolved ({error}): import the message class") from error
    members = _members(annotation)
    for member in members:
        if not (isinstance(member, type) and attrs.has(member)):
            raise HandlerFault(f"{where} takes {_name(member)}, which is no attrs class: messages are attrs classes")
    return [member for member in members if isinstance(member, type)]


def only_parameter(where: str, name: str, function: Callable[..., object]) -> inspect.Parameter:
    """The one parameter of a handler beside `self`.

    Raises:
        HandlerFault: when it takes none, several, or not by position.
    """
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if len(parameters) != 1 or parameters[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        raise HandlerFault(f"{where} must take exactly one message: def {name}(self, message: SomeMessage)")
    return parameters[0]


def _members(annotation: object) -> tuple[object, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _name(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)
