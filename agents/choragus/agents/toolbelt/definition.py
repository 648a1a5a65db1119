"""A tool as the runtime sees it: what it is called, what it takes, what it may do, and the call itself."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import math
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Generic, ParamSpec, TypeVar

import msgspec
from attrs import field, frozen

from choragus.actors.thread import in_thread
from choragus.agents.errors import BadArguments, BadResult, WrongResult
from choragus.agents.flow.declaration import Labels
from choragus.agents.model import ToolSchema

from .context import ToolContext
from .options import Options
from .signature import CONTEXT, OF_MSGSPEC

P = ParamSpec("P")
R = TypeVar("R")


TIMEOUT = 30.0
"""Seconds for one call, unless the tool says otherwise."""


class Risk(enum.Enum):
    """What a call can do to the world; there is no default, because no default is safe."""

    READ = "read"
    """Changes nothing; runs again after a crash."""
    REVERSIBLE = "reversible"
    """Changes what can be changed back."""
    IRREVERSIBLE = "irreversible"
    """Cannot be undone; waits for a person, and a call that a crash interrupted is never guessed."""


@frozen
class Constant:
    """A value, as JSON, that stands in for a tool's result."""

    text: str


@frozen(kw_only=True, eq=False)
class Tool:
    """A tool as the runtime sees it; made by `tool`, compared by identity.

    `resources` is the X of its `ToolContext[X]`, None when it does not say. `fallback`, `undo` and `check` are what
    was declared under these names.
    """

    name: str
    description: str
    risk: Risk
    function: Callable[..., object]
    schema: ToolSchema
    timeout: float
    idempotent: bool
    wants_context: bool
    resources: object = None
    options: Options = field(factory=Options)
    fallback: Tool | Constant | None = None
    undo: Tool | None = None
    check: Tool | str = ""
    _arguments: type[msgspec.Struct] = field(repr=False)
    _result: msgspec.json.Decoder[object] | None = field(default=None, repr=False)
    _source: str = field(repr=False)

    @property
    def wants_trace(self) -> bool:
        """Whether its calls are told the span that they are."""
        return self.wants_context

    @property
    def labels(self) -> Labels | None:
        """What it says about the flow of information, if it says anything."""
        return self.options.labels

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of what the model gives."""
        return self._arguments.__struct_fields__

    @property
    def repeatable(self) -> bool:
        """Whether a call that was cut off may run again without asking: it only reads, or refuses a key it has seen."""
        return self.risk is Risk.READ or (self.risk is Risk.REVERSIBLE and self.idempotent)

    @property
    def cost_usd(self) -> float:
        """Dollars that a call costs at most: its own, and those of what stands in for it when it has failed."""
        return self.options.cost_usd + (self.fallback.options.cost_usd if isinstance(self.fallback, Tool) else 0.0)

    @property
    def companions(self) -> tuple[Tool, ...]:
        """The tools that help this one: what stands in for it, undoes it, and looks whether it happened."""
        return tuple(one for one in (self.fallback, self.undo, self.check) if isinstance(one, Tool))

    def parse(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The keyword arguments for `call`: checked strictly, of the declared types, defaults filled in.

        Raises:
            BadArguments: one is missing, unknown, of another type, or no finite number, or they are too large.
        """
        try:
            size, most = len(msgspec.json.encode(arguments)), self.options.max_arguments
            if size > most:
                raise self._bad(f"they have {size:,} bytes, and {most:,} are the most")
            parsed = msgspec.convert(arguments, self._arguments, strict=True, str_keys=True)
            path = _not_finite(msgspec.to_builtins(parsed, builtin_types=(Decimal,)), "$")
        except (msgspec.ValidationError, RecursionError) as error:
            raise self._bad(str(error)) from None
        if path:
            raise self._bad(f"Expected a finite number - at `{path}`")
        return {name: getattr(parsed, name) for name in self._arguments.__struct_fields__}

    async def call(self, kwargs: Mapping[str, object], context: ToolContext) -> object:
        """Run the function once: `async def` on the event loop, plain `def` in a thread.

        No timeout, no retry and no process: these are the gateway's. A cancelled call leaves a thread behind, which
        Python cannot stop: it runs on to its end, or that of the process.
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
        except OF_MSGSPEC as error:
            raise BadResult(self.name, type(value).__name__, str(error)) from error

    def check_result(self, text: str) -> None:
        """Hold a result, as JSON, against the function's return type; anything goes when it has none.

        Raises:
            WrongResult: it does not fit.
        """
        if self._result is None:
            return
        try:
            self._result.decode(text)
        except (msgspec.MsgspecError, RecursionError, *OF_MSGSPEC) as error:
            raise WrongResult(self.name, str(error)) from None

    def as_result(self, said: str) -> str:
        """A result that a person gives, as JSON: JSON as it is when it fits, or else as a text.

        Raises:
            WrongResult: it fits in neither way.
        """
        try:
            msgspec.json.decode(said)
            self.check_result(said)
            return said
        except (msgspec.DecodeError, WrongResult) as error:
            text = msgspec.json.encode(said).decode()
            try:
                self.check_result(text)
            except WrongResult as wrong:
                raise (error if isinstance(error, WrongResult) else wrong) from None
            return text

    def source_hash(self) -> str:
        """SHA-256 of the function's source as it was when the tool was declared, and of `declared()` where it has any.

        Without source it is that of its bytecode, which differs between Python versions.
        """
        declared = self.declared()
        if not declared:
            return self._source
        told = msgspec.json.encode([self._source, declared], order="sorted")
        return hashlib.sha256(told).hexdigest()

    @property
    def own_source(self) -> str:
        """The hash of the function's source alone."""
        return self._source

    def declared(self) -> dict[str, object]:
        """How it is called where that is not as by default, and what helps it, in JSON values: part of its identity."""
        said = self.options.said()
        if self.timeout != TIMEOUT:
            said["timeout"] = self.timeout
        if self.idempotent:
            said["idempotent"] = True
        if isinstance(self.fallback, Constant):
            said["fallback"] = {"constant": self.fallback.text}
        for role in ("fallback", "undo", "check"):
            helper = getattr(self, role)
            if isinstance(helper, Tool):
                own = {"name": helper.name, "risk": helper.risk.value, "source": helper.own_source}
                more = helper.declared()
                said[role] = {**own, "options": more} if more else own
        return said

    def _bad(self, detail: str) -> BadArguments:
        return BadArguments(self.name, detail, self.parameters)


@frozen(kw_only=True, eq=False)
class FunctionTool(Tool, Generic[P, R]):
    """A tool that can still be called as the plain function it was, in tests for example."""

    _typed: Callable[P, R] = field(repr=False)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function directly: nothing is checked, recorded or limited."""
        return self._typed(*args, **kwargs)


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
