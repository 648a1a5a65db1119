"""A server's tool as a tool of ours: called by a name that says whose it is, with arguments that are checked first."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from attrs import field, frozen

from choragus.agents.errors import BadArguments
from choragus.agents.model import ToolSchema
from choragus.agents.toolbelt.context import ToolContext
from choragus.agents.toolbelt.definition import Risk, Tool
from choragus.agents.toolbelt.options import Options
from choragus.agents.toolbelt.signature import OF_MSGSPEC

from .line import Line
from .offer import Offer, objection, qualified
from .session import Checked, Sdk

_NOTHING = msgspec.defstruct("_NOTHING", [])
_LEAVES_IT_TO_THE_SCHEMA = frozenset(
    {
        "$dynamicRef",
        "$ref",
        "additionalProperties",
        "allOf",
        "anyOf",
        "dependentSchemas",
        "if",
        "oneOf",
        "patternProperties",
        "unevaluatedProperties",
    }
)


@frozen(kw_only=True, eq=False)
class McpTool(Tool):
    """A tool of a server, as it was accepted."""

    offer: Offer
    _line: Line = field(repr=False)
    _input: Checked = field(repr=False)
    _output: Checked | None = field(repr=False)

    @property
    def wants_trace(self) -> bool:
        """A server may trace too."""
        return True

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names of what the model gives."""
        return tuple(_properties(self.offer))

    def parse(self, arguments: Mapping[str, object]) -> dict[str, object]:
        """The arguments for `call`: checked strictly against the server's schema, as it was accepted.

        An argument that the schema does not name is refused, unless the schema says that it takes more.

        Raises:
            BadArguments: they do not fit, hold what JSON cannot carry, or are too large.
        """
        try:
            text = msgspec.json.encode(arguments)
            plain: dict[str, object] = msgspec.json.decode(text)
        except (*OF_MSGSPEC, RecursionError) as error:
            raise self._bad(f"they cannot be written as JSON ({error})") from None
        size, most = len(text), self.options.max_arguments
        if size > most:
            raise self._bad(f"they have {size:,} bytes, and {most:,} are the most")
        if plain != arguments:
            raise self._bad("Expected finite numbers and other values that JSON can carry")
        fault = self._stranger(plain) or self._input.fault(plain)
        if fault:
            raise self._bad(fault)
        return plain

    async def call(self, kwargs: Mapping[str, object], context: ToolContext[object]) -> object:
        """Have the server run it once."""
        return await self._line.call(self.offer, self._output, kwargs, context)

    def _stranger(self, given: Mapping[str, object]) -> str:
        known = _properties(self.offer)
        if not known or not _LEAVES_IT_TO_THE_SCHEMA.isdisjoint(self.offer.parameters):
            return ""
        return next((f"it takes no {name!r:.200} - at `$`" for name in given if name not in known), "")

    def _bad(self, detail: str) -> BadArguments:
        return BadArguments(self.name, detail, self.parameters)


def tool_of(line: Line, offer: Offer, sdk: Sdk) -> McpTool | str:
    """The tool, or why there can be none."""
    server = line.server
    if why := objection(offer):
        return why
    try:
        checks = sdk.checked(offer.parameters)
        output = None if offer.output is None else sdk.checked(offer.output)
    except ValueError as error:
        return f"its schema cannot be used: {error}"
    name, annotations = qualified(server.name, offer.name), offer.annotations
    risk = server.risk(offer.name, annotations)
    options = Options(retries=server.retries, max_result=server.max_result, labels=server.labels)
    return McpTool(
        name=name,
        description=offer.shown_description,
        risk=risk,
        function=line.call,
        schema=ToolSchema(name, offer.shown_description, offer.shown_parameters),
        timeout=float(server.timeout),
        idempotent=risk is Risk.REVERSIBLE and server.is_idempotent(annotations),
        wants_context=False,
        options=options,
        arguments=_NOTHING,
        source=offer.hash,
        offer=offer,
        line=line,
        input=checks,
        output=output,
    )


def _properties(offer: Offer) -> Mapping[str, object]:
    found = offer.parameters.get("properties")
    return found if isinstance(found, Mapping) else {}
