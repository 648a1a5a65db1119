"""Of what type an agent's answer is: the schema that its model is sent, and the check of what it writes."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Generic, Protocol, cast, runtime_checkable

import msgspec
from attrs import field, frozen

from .description import dedented
from .errors import AgentFault
from .model import OutputSchema
from .patience import told

if TYPE_CHECKING:  # a default of a TypeVar is known to type checkers on 3.11, and to the interpreter from 3.13 on
    from typing_extensions import TypeVar

    T_co = TypeVar("T_co", covariant=True, default=object)
else:
    from typing import TypeVar

    T_co = TypeVar("T_co", covariant=True)

T = TypeVar("T")

FAULTS = 5
"""How many faults of one answer are told."""

LONGEST = 1_000
"""Characters of what is told of them: a fault may quote the answer."""

FENCE = "```"


@runtime_checkable
class _Validating(Protocol):
    """A class that makes its own schema and reads its own JSON, as those of pydantic do."""

    def model_json_schema(self) -> dict[str, object]: ...

    def model_validate_json(self, json_data: str, *, strict: bool) -> object: ...


@frozen
class Output(Generic[T_co]):
    """A type that answers are to be of.

    >>> Output(dict[str, int]).fault('{"apples": "two"}')
    'Expected `int`, got `str` - at `$[...]`'

    Args:
        type: an attrs class, a dataclass, a Struct, a TypedDict, `list[int]`, a Literal and whatever else msgspec
            knows, or a model class of pydantic.

    Raises:
        AgentFault: when no JSON Schema can be made of it.
    """

    type: type[T_co]
    schema: dict[str, object] = field(init=False, repr=False, eq=False)

    @schema.default
    def _schema(self) -> dict[str, object]:
        return inlined(schema_of(self.type))

    @property
    def name(self) -> str:
        """What it is called, for people and providers."""
        return str(getattr(self.type, "__name__", "") or "answer")

    @cached_property
    def digest(self) -> str:
        """SHA-256 (64 hexadecimal digits) of the schema as JSON with sorted keys."""
        return hashlib.sha256(msgspec.json.encode(self.schema, order="sorted")).hexdigest()

    @cached_property
    def asked(self) -> OutputSchema:
        """What a model is told of it."""
        return OutputSchema(self.name, self.schema)

    def fault(self, text: str) -> str:
        """What is wrong with an answer, with its path; or nothing."""
        return fault_of(self.type, text)

    def parse(self, text: str) -> T_co:
        """The answer as the type.

        Raises:
            ValueError: when it is not of it.
        """
        return parsed(self.type, text)


def schema_of(type: object) -> dict[str, object]:
    """The JSON Schema of a type.

    Raises:
        AgentFault: when none can be made of it.
    """
    try:
        if inspect.isclass(type) and isinstance(type, _Validating):
            return type.model_json_schema()
        made = dedented(msgspec.json.schema(type))
    except Exception as error:  # pydantic has errors of its own, and a schema may come from code of the user's
        why = str(error).rpartition("\n")[2]  # before it stands what only callers of msgspec can do
        remedy = "give an attrs class, a dataclass or what else docs/output.md names"
        raise AgentFault(f"{type!r}: no JSON Schema can be made of it: {why}: {remedy}") from None
    return made


def parsed(type: type[T], text: str) -> T:
    """The JSON text as the type, strictly: no text for a number, no number for a text.

    Raises:
        ValueError: when it is not of it.
    """
    if inspect.isclass(type) and isinstance(type, _Validating):
        return cast("T", type.model_validate_json(text, strict=True))
    return msgspec.json.decode(text.encode("utf-8", "replace"), type=type, strict=True)


def fault_of(type: type[object], text: str) -> str:
    """What of a JSON text does not fit the type, with its path; or nothing."""
    try:
        parsed(type, text)
    except ValueError as error:
        return _told(error)[:LONGEST]
    except Exception as error:  # a validator is the user's code, and the answer was what it stumbled over
        return f"its check raised {told(error)}"[:LONGEST]
    return ""


def bare(text: str) -> str:
    """An answer without the code fence that some models put around all of it.

    >>> bare('```json\\n[1, 2]\\n```')
    '[1, 2]'
    """
    stripped = text.strip()
    head, line, rest = stripped.partition("\n")
    if not (line and stripped.startswith(FENCE) and rest.endswith(FENCE)) or head.strip("`").strip() not in _LANGUAGES:
        return stripped
    return rest.removesuffix(FENCE).strip()


_LANGUAGES = ("", "json", "JSON")


def inlined(document: dict[str, object]) -> dict[str, object]:
    """The schema with its root written out, where that was a reference: providers want an object there.

    A definition that refers to itself stays among the others too.
    """
    reference, definitions = document.get("$ref"), document.get("$defs")
    if not isinstance(reference, str) or not isinstance(definitions, Mapping):
        return document
    name = reference.removeprefix("#/$defs/")
    root = dict(definitions[name])
    used = msgspec.json.encode(definitions).decode()
    left = {key: each for key, each in definitions.items() if key != name or f'"{reference}"' in used}
    return {**root, "$defs": left} if left else root


def _told(error: Exception) -> str:
    """The faults in one line; those of pydantic as msgspec would write them."""
    found = getattr(error, "errors", None)
    if not callable(found):
        return str(error)
    faults = [f"{one['msg']} - at `{_path(one['loc'])}`" for one in found(include_url=False)[:FAULTS]]
    return "; ".join(faults)


def _path(place: tuple[object, ...]) -> str:
    return "$" + "".join(f"[{each}]" if isinstance(each, int) else f".{each}" for each in place)
