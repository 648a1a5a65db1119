"""Which method handles which message: decided once, when the class is defined."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Coroutine, Mapping
from typing import TypeVar, Union, get_args, get_origin, overload

import attrs

from .beside import beside
from .blocking import PLACES, Blocking, off_the_loop
from .errors import HandlerFault

F = TypeVar("F", bound=Callable[..., object])
Names = Mapping[str, object]


@attrs.frozen
class Handler:
    """A method that takes one message; `is_async` says whether calling it gives a coroutine.

    `function` takes the actor and the message. That of a `blocking` one is a coroutine function around the method, that
    of a `reentrant` one starts the method and gives nothing back.
    """

    name: str
    function: Callable[..., object]
    is_async: bool
    blocking: Blocking | None = None
    reentrant: bool = False


Table = Mapping[type, Handler]


@overload
def handle(function: F, /) -> F: ...
@overload
def handle(*, blocking: Blocking | None = None, reentrant: bool = False) -> Callable[[F], F]: ...
def handle(
    function: F | None = None, /, *, blocking: Blocking | None = None, reentrant: bool = False
) -> F | Callable[[F], F]:
    """Mark a method as the handler of the message type that its one parameter is annotated with.

    `def` and `async def` both work. Its return value is the reply of an ask. Checked when the class is defined.

    A `def` that waits or computes for long would stop everything else meanwhile. It says so, and runs elsewhere; the
    actor still handles one message at a time, and called directly the method is as it was written:

    - `@handle(blocking="thread")`: in a thread of its own. It may use the actor's attributes, but refs, timers and all
      else of the event loop are not for threads. When the actor has to stop sooner, the thread is left behind, for
      Python cannot end it, and what it gives is dropped.
    - `@handle(blocking="process")` above `@staticmethod`: in a process of its own, which takes just the message. It is
      killed when the actor has to stop sooner. Message, reply and exceptions are pickled; as many processes run as
      there are CPUs, further calls wait. They end with the system.

    Durable actors have `effect` for this.

    An actor handles one message at a time, unless it chooses otherwise: while a handler with `reentrant=True` waits,
    the next messages are handled, as with Orleans' AlwaysInterleave. So whatever it read before an `await` may have
    changed after it. Between two awaits it is alone. When one message fails, all that are in hand are cancelled.

    Raises:
        HandlerFault: when `blocking` is neither of the two.
    """
    if blocking is not None and blocking not in PLACES:
        raise HandlerFault(f"blocking={blocking!r} is none of {', '.join(map(repr, PLACES))}: use one of them")

    def mark(method: F) -> F:
        if not isinstance(getattr(method, "__dict__", None), dict):  # neither a function nor a static or class method
            raise HandlerFault(f"handle({method!r}) marks no method: say @handle or @handle(blocking='thread')")
        method.__dict__["__choragus_handler__"] = True
        method.__dict__["__choragus_blocking__"] = blocking
        method.__dict__["__choragus_reentrant__"] = reentrant
        return method

    return mark if function is None else mark(function)


def reply(function: F) -> F:
    """Mark a method of a durable actor as one that replies and effect results may be sent to, by `then=`."""
    function.__dict__["__choragus_reply__"] = True
    return function


def replies(cls: type) -> frozenset[str]:
    """The names of the methods marked `@reply`.

    Raises:
        HandlerFault: when one takes not exactly one message.
    """
    found = _attributes(cls)
    names = frozenset(name for name, function in found.items() if getattr(function, "__choragus_reply__", False))
    for name in names:
        only_parameter(f"{cls.__name__}.{name}", name, found[name])  # type: ignore[arg-type]  # reply() marks nothing else
    return names


def handlers(cls: type, local: Names) -> Table:
    """The message types that the class handles.

    Args:
        local: the names visible where the class is defined, for annotations that are not module globals.

    Raises:
        HandlerFault: when a handler takes not exactly one annotated message, is a generator, or two take the same type.
    """
    table: dict[type, Handler] = {}
    for name, found in sorted(_attributes(cls).items()):
        marked = _marked(found)
        if marked is None:
            continue
        handler = _handler(cls, name, found, getattr(marked, "__choragus_blocking__", None))
        if getattr(marked, "__choragus_reentrant__", False):
            handler = _reentrant(cls, handler)
        for message in _message_types(cls, name, handler, local):
            if message in table:
                raise HandlerFault(
                    f"{cls.__name__}.{table[message].name} and {cls.__name__}.{name} both handle "
                    f"{message.__name__}: keep one"
                )
            table[message] = handler
    return table


def _attributes(cls: type) -> dict[str, object]:
    """What the class and those above it define, as it stands there: ten times as fast as `inspect.getattr_static`."""
    found: dict[str, object] = {}
    for base in reversed(cls.__mro__):
        found.update(vars(base))
    return found


def _marked(found: object) -> object | None:
    """What carries the mark of `@handle`: the method, or the function inside of a static or class method."""
    for one in (found, getattr(found, "__func__", None)):
        if getattr(one, "__choragus_handler__", False):
            return one
    return None


def _handler(cls: type, name: str, found: object, blocking: Blocking | None) -> Handler:
    """The handler that the method makes.

    Raises:
        HandlerFault: when it cannot run where it says, or is no method of the actor.
    """
    where = f"{cls.__name__}.{name}"
    inner: object = getattr(found, "__func__", found)
    function: Callable[..., object] = inner  # type: ignore[assignment]  # handle() marks nothing else
    if blocking == "process":
        if not isinstance(found, staticmethod):
            raise HandlerFault(
                f'{where} runs in a process of its own, which has no actor: put @handle(blocking="process") above '
                f"@staticmethod, and def {name}(message: SomeMessage)"
            )
        if "<locals>" in function.__qualname__:
            raise HandlerFault(f"{where} is defined inside a function, where no other process finds it: move it out")
    elif isinstance(found, staticmethod | classmethod):
        raise HandlerFault(f"{where} takes no actor: write def {name}(self, message: SomeMessage)")
    is_async = inspect.iscoroutinefunction(function)
    if blocking is None:
        return Handler(name, function, is_async)
    if is_async:
        raise HandlerFault(f"{where} is async def and waits without blocking: drop blocking={blocking!r}, or write def")
    _check_yields_nothing(where, function)
    return Handler(name, off_the_loop(where, function, blocking), True, blocking)


def _reentrant(cls: type, handler: Handler) -> Handler:
    """The handler as one that runs beside the others.

    Raises:
        HandlerFault: when it never waits, so that nothing could run beside it.
    """
    if not handler.is_async:
        raise HandlerFault(f"{cls.__name__}.{handler.name} is reentrant, but never waits: write async def")
    function: Callable[..., Coroutine[object, None, object]] = handler.function  # type: ignore[assignment]  # it is async
    return attrs.evolve(handler, function=beside(function), is_async=False, reentrant=True)


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


def _check_yields_nothing(where: str, function: Callable[..., object]) -> None:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise HandlerFault(f"{where} yields: a handler returns its one reply")


def _message_types(cls: type, name: str, handler: Handler, local: Names) -> list[type]:
    where = f"{cls.__name__}.{name}"
    function = handler.function
    _check_yields_nothing(where, function)
    parameter = only_parameter(where, name, function, bound=handler.blocking != "process")
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


def only_parameter(where: str, name: str, function: Callable[..., object], *, bound: bool = True) -> inspect.Parameter:
    """The one parameter of a handler beside `self`, if it is `bound` to an actor.

    Raises:
        HandlerFault: when it takes none, several, or not by position.
    """
    parameters = list(inspect.signature(function).parameters.values())[1 if bound else 0 :]
    if len(parameters) != 1 or parameters[0].kind is not inspect.Parameter.POSITIONAL_OR_KEYWORD:
        first = "self, " if bound else ""
        raise HandlerFault(f"{where} must take exactly one message: def {name}({first}message: SomeMessage)")
    return parameters[0]


def _members(annotation: object) -> tuple[object, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _name(value: object) -> str:
    return value.__name__ if isinstance(value, type) else str(value)
