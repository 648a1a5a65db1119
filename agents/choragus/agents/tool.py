"""A function that a model may call: declared risk, schema from its signature, strict arguments, a result as JSON."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import math
import re
import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Generic, Literal, ParamSpec, TypeVar, get_args, get_type_hints, overload

import msgspec
from attrs import field, frozen

from choragus.actors.thread import in_thread

from .errors import BadArguments, BadResult, ToolFault
from .flow.declaration import Labels
from .model import ToolSchema

P = ParamSpec("P")
R = TypeVar("R")
RiskName = Literal["read", "reversible", "irreversible"]

CONTEXT = "context"
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OF_MSGSPEC = (TypeError, ValueError, RuntimeError, OverflowError)


class Risk(enum.Enum):
    """What a call can do to the world; there is no default, because no default is safe."""

    READ = "read"
    """Changes nothing; runs again after a crash."""
    REVERSIBLE = "reversible"
    """Changes what can be changed back."""
    IRREVERSIBLE = "irreversible"
    """Cannot be undone; waits for a person, and a call that a crash interrupted is never guessed."""


@frozen(kw_only=True)
class ToolContext:
    """Where a call belongs, for a tool that declares `*, context: ToolContext`.

    `idempotency_key` is the same each time this very call is run, also after a crash: hand it to a service that
    refuses a second request of one key.
    """

    run: str
    call: str
    idempotency_key: str


@frozen(kw_only=True, eq=False)
class Tool:
    """A tool as the runtime sees it; made by `tool`, compared by identity."""

    name: str
    description: str
    risk: Risk
    function: Callable[..., object]
    schema: ToolSchema
    timeout: float
    idempotent: bool
    wants_context: bool
    labels: Labels | None = None
    _arguments: type[msgspec.Struct] = field(repr=False)
    _source: str = field(repr=False)

    def parse(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The keyword arguments for `call`: checked strictly, of the declared types, defaults filled in.

        Raises:
            BadArguments: one is missing, unknown, of another type, or no finite number.
        """
        try:
            parsed = msgspec.convert(arguments, self._arguments, strict=True, str_keys=True)
            path = _not_finite(msgspec.to_builtins(parsed, builtin_types=(Decimal,)), "$")
        except (msgspec.ValidationError, RecursionError) as error:
            raise self._bad(str(error)) from None
        if path:
            raise self._bad(f"Expected a finite number - at `{path}`")
        return {name: getattr(parsed, name) for name in self._arguments.__struct_fields__}

    async def call(self, kwargs: Mapping[str, object], context: ToolContext) -> object:
        """Run the function once: `async def` on the event loop, plain `def` in a thread.

        No timeout and no retry: these are the gateway's. A cancelled call leaves a thread behind, which Python
        cannot stop: it runs on to its end, or that of the process.
        """
        given = {**kwargs, CONTEXT: context} if self.wants_context else dict(kwargs)
        if inspect.iscoroutinefunction(self.function):
            return await self.function(**given)
        run = functools.partial(self.function, **given)
        result = await in_thread(self.name, run)
        return await result if inspect.isawaitable(result) else result

    def render(self, value: object) -> str:
        """The result as JSON text, the form in which it is stored and sent to the model.

        A text gets quotes, NaN and infinity become null, bytes become base64.

        Raises:
            BadResult: it holds something that JSON cannot carry.
        """
        try:
            return msgspec.json.encode(value).decode()
        except _OF_MSGSPEC as error:
            raise BadResult(self.name, type(value).__name__, str(error)) from error

    def source_hash(self) -> str:
        """SHA-256 of the function's source as it was when the tool was declared; of its bytecode where there is none.

        The bytecode differs between Python versions.
        """
        return self._source

    def _bad(self, detail: str) -> BadArguments:
        return BadArguments(self.name, detail, self._arguments.__struct_fields__)


@frozen(kw_only=True, eq=False)
class FunctionTool(Tool, Generic[P, R]):
    """A tool that can still be called as the plain function it was, in tests for example."""

    _typed: Callable[P, R] = field(repr=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function directly: nothing is checked, recorded or limited."""
        return self._typed(*args, **kwargs)


@overload
def tool(
    *,
    risk: RiskName,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    labels: Labels | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


@overload
def tool(
    *,
    risk: Risk,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    labels: Labels | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: object = None,
    /,
    *,
    risk: object = None,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    labels: Labels | None = None,
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]:
    """Declare a function as a tool.

    The model is shown its name, the first paragraph of its docstring, and a JSON Schema of its parameters, which need
    type hints. `Annotated[int, msgspec.Meta(ge=1, description="...")]` bounds and describes one of them. A keyword-only
    parameter `context: ToolContext` is filled in by the runtime and not shown.

    >>> @tool(risk="read")
    ... def weather(city: str) -> str:
    ...     "Today's weather in a city."
    ...     return "rain"
    >>> weather.parse({"city": "Bergen"}), weather("Bergen")
    ({'city': 'Bergen'}, 'rain')

    Args:
        risk: what a call can do to the world: "read", "reversible" or "irreversible". Required.
        name: what the model calls it, by default the function's name. Letters, digits, `_` and `-`, at most 64.
        timeout: seconds for one call.
        idempotent: whether a second call of one idempotency key does nothing, so that it may run again after a crash.
        labels: what in its result can be trusted, and what its arguments take; see `docs/information-flow.md`.

    Raises:
        ToolFault: at declaration, when any of this does not hold.
    """
    declared = _risk(risk, function)
    if function is not None:
        raise ToolFault(f"{function!r} was given to tool() directly: write tool(risk=...)(function)")

    def declare(function: Callable[P, R]) -> FunctionTool[P, R]:
        called = _name(function, name)
        _check_options(called, timeout, idempotent)
        _check_labels(called, labels)
        description = _description(called, function)
        hints, wants_context = _hints(called, function)
        arguments = _arguments(called, function, hints)
        return FunctionTool(
            name=called,
            description=description,
            risk=declared,
            function=function,
            schema=ToolSchema(called, description, _schema(called, arguments)),
            timeout=float(timeout),
            idempotent=idempotent,
            wants_context=wants_context,
            labels=labels,
            arguments=arguments,
            source=_source(function, labels),
            typed=function,
        )

    return declare


def _risk(risk: object, function: object) -> Risk:
    if isinstance(risk, Risk):
        return risk
    known = [each.value for each in Risk]
    if isinstance(risk, str) and risk in known:
        return Risk(risk)
    of = f" of {getattr(function, '__name__', repr(function))!r}" if function is not None else ""
    given = "is missing" if risk is None else f"is {risk!r}"
    raise ToolFault(
        f'the risk{of} {given}: write @tool(risk="read"), @tool(risk="reversible") or @tool(risk="irreversible")'
    )


def _name(function: object, name: object) -> str:
    if not (inspect.isfunction(function) or inspect.ismethod(function)):
        raise ToolFault(f"{function!r} cannot be a tool: put @tool(risk=...) above a function")
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise ToolFault(f"tool {function.__name__!r} yields: return one result instead, a list for example")
    called = function.__name__ if name is None else name
    if not isinstance(called, str) or not _NAME.fullmatch(called):
        raise ToolFault(f"{called!r} is no name for a tool: give name= 1 to 64 letters, digits, '_' or '-'")
    return called


def _check_options(called: str, timeout: object, idempotent: object) -> None:
    if isinstance(timeout, bool) or not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
        raise ToolFault(f"timeout={timeout!r} of tool {called!r} is no time: give seconds, above 0 and finite")
    if not isinstance(idempotent, bool):
        raise ToolFault(f"idempotent={idempotent!r} of tool {called!r} is neither True nor False: give one of them")


def _check_labels(called: str, labels: object) -> None:
    if labels is not None and not isinstance(labels, Labels):
        raise ToolFault(f"labels={labels!r} of tool {called!r} are none: give Labels(trusted=[...], arguments={{...}})")


def _description(called: str, function: Callable[..., object]) -> str:
    paragraph = (inspect.getdoc(function) or "").strip().split("\n\n")[0]
    if not paragraph:
        raise ToolFault(f"tool {called!r} has no docstring: say in its first paragraph what it does, for the model")
    return " ".join(paragraph.split())


def _hints(called: str, function: Callable[..., object]) -> tuple[dict[str, object], bool]:
    """The type of each parameter that the model gives, and whether there is a context beside them."""
    try:
        hints = get_type_hints(function, include_extras=True)
    except (NameError, TypeError, AttributeError, SyntaxError) as error:
        raise ToolFault(
            f"the type hints of tool {called!r} cannot be read ({error}): use names defined at the top of its module"
        ) from error
    wants_context = False
    found: dict[str, object] = {}
    for parameter in inspect.signature(function).parameters.values():
        _check_parameter(called, parameter, hints)
        if _is_context(hints[parameter.name]):
            wants_context = True
        else:
            found[parameter.name] = hints[parameter.name]
    return found, wants_context


def _check_parameter(called: str, parameter: inspect.Parameter, hints: Mapping[str, object]) -> None:
    where = f"parameter {parameter.name!r} of tool {called!r}"
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ToolFault(f"{where} takes any number of values: name each parameter, so that the schema can list it")
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ToolFault(f"{where} is positional-only: drop the '/', arguments are given by name")
    if parameter.name not in hints:
        raise ToolFault(f"{where} has no type hint: add one, the schema is made from it")
    if _is_context(hints[parameter.name]) and (parameter.name, parameter.kind) != (CONTEXT, parameter.KEYWORD_ONLY):
        raise ToolFault(f"{where} is a ToolContext the model would have to invent: write '*, context: ToolContext'")


def _is_context(hint: object) -> bool:
    return hint is ToolContext or ToolContext in get_args(hint)


def _arguments(called: str, function: Callable[..., object], hints: Mapping[str, object]) -> type[msgspec.Struct]:
    parameters = inspect.signature(function).parameters
    fields = [
        (name, hint) if parameters[name].default is inspect.Parameter.empty else (name, hint, parameters[name].default)
        for name, hint in hints.items()
    ]
    try:
        return msgspec.defstruct(called, fields, kw_only=True, forbid_unknown_fields=True)
    except _OF_MSGSPEC as error:
        raise _no_schema(called, error) from error


def _schema(called: str, arguments: type[msgspec.Struct]) -> dict[str, object]:
    """The object schema itself instead of a reference to it; `$defs` holds what it refers to in turn."""
    try:
        document = msgspec.json.schema(arguments)
    except _OF_MSGSPEC as error:
        raise _no_schema(called, error) from error
    definitions = dict(document["$defs"])
    schema = dict(definitions.pop(document["$ref"].removeprefix("#/$defs/")))
    schema.pop("title", None)
    for each in msgspec.structs.fields(arguments):
        if each.default is not msgspec.NODEFAULT:
            # A set has another order in each process, and the schema is part of a run's identity.
            schema["properties"][each.name]["default"] = msgspec.to_builtins(each.default, order="sorted")
    return {**schema, "$defs": definitions} if definitions else schema


def _no_schema(called: str, error: Exception) -> ToolFault:
    reason = " ".join(str(error).split())
    return ToolFault(
        f"no JSON Schema can be made for tool {called!r} ({reason}): use text, numbers, lists, dictionaries, dates, "
        "enums, attrs classes or dataclasses as types, and defaults that cannot be changed in place"
    )


def _not_finite(value: object, path: str) -> str | None:
    """Where in a value of plain types the first number is that is none, or None."""
    if isinstance(value, float):
        return None if math.isfinite(value) else path
    if isinstance(value, Decimal):
        return None if value.is_finite() else path
    if isinstance(value, Mapping):
        inner = ((each, f"{path}.{key}") for key, each in value.items())
    elif isinstance(value, list | tuple):
        inner = ((each, f"{path}[{index}]") for index, each in enumerate(value))
    else:
        return None
    return next((found for each, where in inner if (found := _not_finite(each, where))), None)


def _source(function: Callable[..., object], labels: Labels | None) -> str:
    plain = inspect.unwrap(function)
    try:
        if plain.__code__.co_filename == "<string>":  # Python 3.13 would give the text of `python -c`, whatever was run
            raise OSError
        text = inspect.getsource(plain).encode("utf-8", "surrogatepass")
    except (OSError, TypeError):
        text = _bytecode(plain.__code__)
    if labels is not None:  # they decide what runs without a person, as much as the source does
        text += labels.digest()
    return hashlib.sha256(text).hexdigest()


def _bytecode(code: types.CodeType) -> bytes:
    names = repr((code.co_names, code.co_varnames)).encode()
    return b"\0".join([code.co_code, names, *(_constant(each) for each in code.co_consts)])


def _constant(value: object) -> bytes:
    if isinstance(value, types.CodeType):
        return _bytecode(value)
    # A frozenset of text has another order in each process.
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value).encode()
