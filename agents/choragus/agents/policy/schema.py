"""The shape of the final answer."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import Generic, TypeVar

import msgspec
from attrs import field, frozen

from choragus.agents.errors import AgentFault
from choragus.agents.output import fault_of, parsed, schema_of

from .check import Check, Stage
from .decision import Decision, check_decision, verdict_of
from .verdict import Deny, Verdict

T = TypeVar("T")


@frozen
class OutputSchema(Generic[T]):
    """The answer must be JSON of this type; if it is not, the model reads where it is wrong and answers anew.

    >>> OutputSchema(dict[str, int]).fault('{"apples": "two"}')
    'Expected `int`, got `str` - at `$[...]`'

    Args:
        type: as in `Agent(output=...)`: what msgspec knows, or a model class of pydantic.
        tries: how often a run's answer is sent back; 3 by default.
        then: what becomes of the next wrong one; "end" by default.

    Raises:
        AgentFault: when no JSON Schema can be made for the type, or `tries` is no whole number from 0 on.
    """

    type: type[T]
    tries: int = field(default=3, kw_only=True)
    then: Decision = field(default="end", kw_only=True, validator=check_decision)
    name: str = field(default="output-schema", kw_only=True)
    stages: frozenset[Stage] = field(default=frozenset({Stage.OUTPUT}), init=False)
    looks_back: int = field(default=0, init=False)
    schema: dict[str, object] = field(init=False, repr=False, eq=False)

    @schema.default
    def _schema(self) -> dict[str, object]:
        return schema_of(self.type)

    def __attrs_post_init__(self) -> None:
        if type(self.tries) is not int or self.tries < 0:
            raise AgentFault(f"OutputSchema(tries={self.tries!r}) must be a whole number, 0 or more")

    @cached_property
    def version(self) -> str:
        """A hash of the schema and the settings."""
        plain = msgspec.json.encode([self.schema, self.tries, self.then], order="sorted")
        return hashlib.sha256(plain).hexdigest()[:16]

    def fault(self, text: str) -> str:
        """What is wrong with an answer, with its path; or nothing."""
        return fault_of(self.type, text)

    def parse(self, text: str) -> T:
        """The answer as the type.

        Raises:
            ValueError: when it is not of it.
        """
        return parsed(self.type, text)

    def judge(self, check: Check) -> Verdict | None:
        """Send a wrong answer back, so often."""
        fault = self.fault(check.text)
        if not fault:
            return None
        times = check.past.objections.get(self.name, 0)
        if times >= self.tries:
            return verdict_of(self.then, f"the answer is not of its schema, {times + 1} times now: {fault}")
        schema = msgspec.json.encode(self.schema).decode()
        return Deny(
            f"it is not of the schema it must have: {fault}. Answer with nothing but JSON of this schema: {schema}"
        )
