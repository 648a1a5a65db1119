"""What a tool is given beside its arguments: where the call belongs, and what it may use."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, Protocol

from attrs import field, frozen

from choragus.agents.errors import SecretFault

if TYPE_CHECKING:  # a default of a TypeVar is known to type checkers on 3.11, and to the interpreter from 3.13 on
    from typing_extensions import TypeVar

    D = TypeVar("D", default=object)
else:
    from typing import TypeVar

    D = TypeVar("D")


def _none(name: str) -> str:
    raise SecretFault(name, "this context was made by hand: pass secret=lambda name: ... in a test")


class Shelves(Protocol):
    """The libraries of a runtime; see `knowledge.opening.Libraries`."""

    def shelf(self, name: str, namespace: str) -> object: ...

    def episodes_of(self, agent: str) -> object: ...


class _NoShelves:
    def shelf(self, name: str, namespace: str) -> object:
        raise LookupError(
            f"no library {name!r} here: this context was made by hand, or is that of a process of its own"
        )

    def episodes_of(self, agent: str) -> object:
        raise LookupError(
            f"no episodes of {agent!r} here: this context was made by hand, or is that of a process of its own"
        )


NO_SHELVES = _NoShelves()


@frozen(kw_only=True)
class ToolContext(Generic[D]):
    """Where a call belongs, for a tool that declares `*, context: ToolContext`, or `ToolContext[Deps]`.

    `idempotency_key` is the same each time this very call is run, also after a crash: hand it to a service that
    refuses a second request of one key. `attempt` counts from 1: how often the call was begun, as far as the runtime
    knows. `resources` is what the runtime was given as `resources=`; it is never stored, and there again after a
    restart. `traceparent` is the span of the call as W3C has it, for the headers of a request to a service that traces
    too; in a context made by hand it is empty.
    """

    run: str
    call: str
    idempotency_key: str
    attempt: int = 1
    traceparent: str = field(default="", eq=False)
    resources: D = field(default=None, repr=False, eq=False)
    _secret: Callable[[str], str] = field(default=_none, repr=False, eq=False)

    _shelves: Shelves = field(default=NO_SHELVES, repr=False, eq=False)

    def library(self, name: str, namespace: str = "main") -> object:
        """The `Shelf` of that library and namespace, as `runtime.library` gives it."""
        return self._shelves.shelf(name, namespace)

    def episodes(self, agent: str) -> object:
        """The `Episodes` of that agent, as `runtime.episodes` gives them."""
        return self._shelves.episodes_of(agent)

    def secret(self, name: str) -> str:
        """The value of a secret that the tool has declared in `secrets=(...)`.

        It is not to be given back: what a tool gives back or raises is scrubbed of it.

        Raises:
            SecretFault: when the tool has not declared it, or the runtime cannot give it.
        """
        return self._secret(name)
