"""A function that a model may call: declared risk, schema from its signature, strict arguments, a result as JSON."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Mapping
from typing import Literal, ParamSpec, TypedDict, TypeVar, Unpack, overload

from .errors import ToolFault
from .flow.declaration import Labels
from .model import ToolSchema
from .toolbelt.companion import check_constant, check_flow, check_of, check_undo, fallback_of
from .toolbelt.context import ToolContext as ToolContext
from .toolbelt.definition import Constant, FunctionTool
from .toolbelt.definition import Risk as Risk
from .toolbelt.definition import Tool as Tool
from .toolbelt.options import Breaker, Options, Rate, Retry, checked
from .toolbelt.signature import schema, signature
from .toolbelt.source import source_hash

P = ParamSpec("P")
R = TypeVar("R")
RiskName = Literal["read", "reversible", "irreversible"]

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ToolOptions(TypedDict, total=False):
    """The further keyword arguments of `tool`."""

    retries: Retry | None
    concurrency: int | None
    rate: Rate | None
    breaker: Breaker | None
    calls_per_run: int | None
    max_arguments: int
    max_result: int
    isolation: Literal["process"] | None
    secrets: tuple[str, ...]
    fallback: object
    undo: Tool | Callable[..., object] | None
    check: Tool | str
    cost_usd: float
    labels: Labels | None
    version: str


@overload
def tool(
    *,
    risk: RiskName,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


@overload
def tool(
    *,
    risk: Risk,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]: ...


def tool(
    function: object = None,
    /,
    *,
    risk: object = None,
    name: str | None = None,
    timeout: float = 30.0,
    idempotent: bool = False,
    **options: Unpack[ToolOptions],
) -> Callable[[Callable[P, R]], FunctionTool[P, R]]:
    """Declare a function as a tool.

    The model is shown its name, the first paragraph of its docstring, and a JSON Schema of its parameters, which need
    type hints. `Annotated[int, msgspec.Meta(ge=1, description="...")]` bounds and describes one of them. A keyword-only
    parameter `context: ToolContext` is filled in by the runtime and not shown. What the function gives back is held
    against its return type, where it has one; `-> object` is not looked at.

    >>> @tool(risk="read")
    ... def weather(city: str) -> str:
    ...     "Today's weather in a city."
    ...     return "rain"
    >>> weather.parse({"city": "Bergen"}), weather("Bergen")
    ({'city': 'Bergen'}, 'rain')

    Args:
        risk: what a call can do to the world: "read", "reversible" or "irreversible". Required.
        name: what the model calls it, by default the function's name. Letters, digits, `_` and `-`, at most 64.
        timeout: seconds for one call, from when it begins.
        idempotent: whether a second call of one idempotency key does nothing, so that it may run again after a crash.
        retries: a Retry: run again what failed and is harmless.
        concurrency: how many calls run at once, over all runs of a runtime; the others wait in order.
        rate: a Rate: how many calls begin in a time, over all runs of a runtime; the others wait in order.
        breaker: a Breaker: refuse calls for a while after so many failures, over all runs of a runtime.
        calls_per_run: how many calls of it one run may make; counted with the run, also over a crash.
        max_arguments: bytes of the arguments as JSON (1,000,000).
        max_result: bytes of the result that the model is shown (64,000); all of it is kept, see `Run.result_of`.
        isolation: "process" runs each call in a process of its own that is killed at the timeout; the function stands
            at the top of its module. None: on the event loop, or `def` in a thread.
        secrets: the names of those that `context.secret(name)` may give.
        fallback: a tool of the same parameters, or a value, for when the call has failed; the model is told so.
        undo: a tool, or a function, by which `Run.unwind` takes a call back. It takes some of the tool's parameters,
            by name, and `result` for what the call gave back.
        check: how a person finds out whether an interrupted call happened: a text, or a read-only tool that takes
            `key`, the idempotency key.
        cost_usd: what each call costs; set aside before it and counted against `Limits(cost_usd=...)`.
        labels: Labels(...), what in its result can be trusted, and what its arguments take of what cannot; see
            `docs/information-flow.md`.
        version: any text. Write another when what the function calls, or has caught as a closure, has changed such that
            runs that began before should not go on: of itself only its own source counts; see `docs/versions.md`.

    Raises:
        ToolFault: at declaration, when any of this does not hold.
    """
    declared = _risk(risk, function)
    if function is not None:
        raise ToolFault(f"{function!r} was given to tool() directly: write tool(risk=...)(function)")

    def declare(function: Callable[P, R]) -> FunctionTool[P, R]:
        called = _name(function, name)
        _check_call_options(called, timeout, idempotent)
        return _made(called, function, _description(called, function), declared, timeout, idempotent, options)

    return declare


def _made(
    called: str,
    function: Callable[P, R],
    description: str,
    risk: Risk,
    timeout: float,
    idempotent: bool,
    given: Mapping[str, object],
) -> FunctionTool[P, R]:
    options = checked(called, given)
    found = signature(called, function)
    _check_isolation(called, function, options.isolation, found.resources)
    parameters = found.arguments.__struct_fields__
    fallback = fallback_of(called, parameters, risk, options.fallback)
    undo = _undo(called, parameters, timeout, options)
    check = check_of(called, options.check)
    made = FunctionTool(
        name=called,
        description=description,
        risk=risk,
        function=function,
        schema=ToolSchema(called, description, schema(called, found.arguments)),
        timeout=float(timeout),
        idempotent=idempotent,
        wants_context=found.wants_context,
        resources=found.resources,
        options=options,
        fallback=fallback,
        undo=undo,
        check=check,
        arguments=found.arguments,
        result=found.result,
        source=source_hash(function),
        typed=function,
    )
    if isinstance(made.fallback, Constant):
        check_constant(made, made.fallback)
    elif made.fallback is not None:
        check_flow(made, made.fallback)
    return made


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


def _check_call_options(called: str, timeout: object, idempotent: object) -> None:
    if isinstance(timeout, bool) or not (isinstance(timeout, int | float) and 0 < timeout < math.inf):
        raise ToolFault(f"timeout={timeout!r} of tool {called!r} is no time: give seconds, above 0 and finite")
    if not isinstance(idempotent, bool):
        raise ToolFault(f"idempotent={idempotent!r} of tool {called!r} is neither True nor False: give one of them")


def _description(called: str, function: Callable[..., object]) -> str:
    paragraph = (inspect.getdoc(function) or "").strip().split("\n\n")[0]
    if not paragraph:
        raise ToolFault(f"tool {called!r} has no docstring: say in its first paragraph what it does, for the model")
    return " ".join(paragraph.split())


def _check_isolation(called: str, function: Callable[..., object], isolation: str | None, resources: object) -> None:
    if isolation is None:
        return
    if "." in function.__qualname__:
        raise ToolFault(
            f"tool {called!r} cannot run in a process of its own: {function.__qualname__} is not at the top of its "
            "module, where no other process finds it: move it there"
        )
    if resources is not None:
        raise ToolFault(
            f"tool {called!r} runs in a process of its own, where there are no resources: write context: ToolContext"
        )


def _undo(called: str, parameters: tuple[str, ...], timeout: float, options: Options) -> Tool | None:
    given = options.undo
    if given is None:
        return None
    if isinstance(given, Tool):
        undo = given
    elif inspect.isfunction(given) or inspect.ismethod(given):
        own: Mapping[str, object] = {"secrets": options.secrets}
        undo = _made(f"undo-{called}"[:64], given, f"Undo {called}.", Risk.REVERSIBLE, timeout, False, own)
    else:
        raise ToolFault(f"undo={given!r} of tool {called!r} is neither a tool nor a function: give one of them")
    check_undo(called, parameters, undo)
    return undo
