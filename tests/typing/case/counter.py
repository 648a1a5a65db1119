"""The actors and messages that the cases use."""

from __future__ import annotations

from attrs import define, frozen

from choragus.actors import Actor, DurableActor, Request, handle
from choragus.mailbox import stored


@stored("test.typing.add")
@frozen
class Add(Request[int]):
    amount: int


@frozen
class AddTwice(Add):
    """A message of a subclass is none that the actor handles at run time: type checkers cannot know."""


@frozen
class Names(Request[list[str]]):
    pass


@frozen
class Clear(Request[None]):
    pass


@frozen
class Note:
    """Is told, and never asked."""

    text: str


@frozen
class Stranger(Request[bytes]):
    """Nobody here handles it."""


@stored("test.typing.total")
@define
class Total:
    value: int = 0


class Counter(Actor[Add | Names | Clear | Note]):
    def __init__(self, start: int = 0) -> None:
        self.total = start
        self.names: list[str] = []

    @handle
    def add(self, message: Add) -> int:
        self.total += message.amount
        return self.total

    @handle
    async def list_names(self, message: Names) -> list[str]:
        return self.names

    @handle
    def clear(self, message: Clear) -> None:
        self.names.clear()

    @handle
    def note(self, message: Note) -> None:
        self.names.append(message.text)


class Adder(Actor[Add]):
    @handle
    def add(self, message: Add) -> int:
        return message.amount


class Account(DurableActor[Total, Add], name="test.typing.account"):
    @handle
    def add(self, message: Add) -> int:
        self.state.value += message.amount
        return self.state.value
