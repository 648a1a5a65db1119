"""What a handler may look like is decided when the class is defined."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

import pytest
from attrs import define, frozen

from choragus.actors.actor import Actor
from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.errors import HandlerFault
from choragus.actors.message import AskFailed, Request, reply_type
from choragus.mailbox.codec import stored

S = TypeVar("S")
M = TypeVar("M", contravariant=True)


@stored("test.dispatch.ping")
@frozen
class Ping(Request[int]):
    pass


@stored("test.dispatch.pong")
@frozen
class Pong:
    pass


@frozen
class Unstored:
    pass


@stored("test.dispatch.count")
@define
class Count:
    value: int = 0


@define
class UnstoredState:
    value: int = 0


def unannotated() -> object:
    class Counter(Actor[Ping]):
        @handle
        def ping(self, message) -> int:  # type: ignore[no-untyped-def]  # that is the fault
            return 1

    return Counter


def no_message() -> object:
    class Counter(Actor[Ping]):
        @handle
        def ping(self) -> int:
            return 1

    return Counter


def two_messages() -> object:
    class Counter(Actor[Ping]):
        @handle
        def ping(self, first: Ping, second: Ping) -> int:
            return 1

    return Counter


def two_handlers() -> object:
    class Counter(Actor[Ping]):
        @handle
        def first(self, message: Ping) -> int:
            return 1

        @handle
        def second(self, message: Ping) -> int:
            return 2

    return Counter


def missing_handler() -> object:
    class Counter(Actor[Ping | Pong]):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def undeclared() -> object:
    class Counter(Actor[Ping]):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

        @handle
        def pong(self, message: Pong) -> None: ...

    return Counter


def not_attrs() -> object:
    class Counter(Actor[str]):
        @handle
        def text(self, message: str) -> int:
            return 1

    return Counter


def unresolved() -> object:
    class Counter(Actor[Ping]):
        @handle
        def ping(self, message: Elsewhere) -> int:  # type: ignore[name-defined]  # noqa: F821  # that is the fault
            return 1

    return Counter


def generator() -> object:
    class Counter(Actor[Ping]):
        @handle
        async def ping(self, message: Ping) -> AsyncIterator[int]:
            yield 1

    return Counter


def reply_without_message() -> object:
    class Counter(DurableActor[Count, Ping], name="test.dispatch.counter"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

        @reply
        def replied(self) -> None: ...

    return Counter


def nameless() -> object:
    class Counter(DurableActor[Count, Ping]):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def bad_name() -> object:
    class Counter(DurableActor[Count, Ping], name="No Name"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def unstored_state() -> object:
    class Counter(DurableActor[UnstoredState, Ping], name="test.dispatch.counter"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def unstored_message() -> object:
    class Counter(DurableActor[Count, Unstored], name="test.dispatch.counter"):
        @handle
        def take(self, message: Unstored) -> None: ...

    return Counter


def durable_on_start() -> object:
    class Counter(DurableActor[Count, Ping], name="test.dispatch.counter"):
        async def on_start(self) -> None: ...

        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


def waiting_on_parked() -> object:
    class Counter(DurableActor[Count, Ping], name="test.dispatch.counter"):
        async def on_parked(self, message: object, parking: object) -> None: ...  # type: ignore[override]  # that is it

        @handle
        def ping(self, message: Ping) -> int:
            return 1

    return Counter


@pytest.mark.parametrize(
    ("define_class", "says"),
    [
        (unannotated, r"^Counter\.ping: annotate its message"),
        (no_message, r"^Counter\.ping must take exactly one message"),
        (two_messages, r"^Counter\.ping must take exactly one message"),
        (two_handlers, r"^Counter\.first and Counter\.second both handle Ping: keep one$"),
        (missing_handler, r"^Counter says that it handles Pong: add a @handle method for it$"),
        (undeclared, r"^Counter\.pong handles Pong, which Actor\[\.\.\.\] of Counter does not name: add it there$"),
        (not_attrs, r"^Counter\.text takes str, which is no attrs class"),
        (unresolved, r"^Counter\.ping: its annotation cannot be resolved .*import the message class$"),
        (generator, r"^Counter\.ping yields: a handler returns its one reply$"),
        (reply_without_message, r"^Counter\.replied must take exactly one message"),
        (nameless, r"^Counter needs a stable name .*name='shop\.account'\)$"),
        (bad_name, r"^Counter needs a stable name .* not 'No Name'"),
        (unstored_state, r"^Counter's state UnstoredState is not stored: put @stored"),
        (unstored_message, r"^Counter's message Unstored is not stored: put @stored"),
        (durable_on_start, r"^Counter\.on_start: a durable actor comes and goes with its messages"),
        (waiting_on_parked, r"^Counter\.on_parked cannot wait: write it with def$"),
    ],
)
def test_a_wrong_class_is_refused_when_it_is_defined(define_class: Callable[[], object], says: str) -> None:
    with pytest.raises(HandlerFault, match=says):
        define_class()


def test_a_handler_of_a_union_takes_each_of_its_messages() -> None:
    class Both(Actor[Ping | Pong]):
        @handle
        def any(self, message: Ping | Pong) -> int | None: ...

    assert set(Both.__choragus_table__) == {Ping, Pong}


def test_a_subclass_may_replace_a_handler() -> None:
    class First(Actor[Ping]):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    class Second(First):
        @handle
        def ping(self, message: Ping) -> int:
            return 2

    assert Second.__choragus_table__[Ping].function is Second.ping


def test_an_annotation_that_only_the_type_checker_sees_does_not_matter_for_the_reply() -> None:
    class Counter(Actor[Ping]):
        @handle
        def ping(self, message: Ping) -> Elsewhere:  # type: ignore[name-defined]  # noqa: F821  # never evaluated
            return 1

    assert set(Counter.__choragus_table__) == {Ping}


def test_a_generic_base_passes_on_what_it_is_given() -> None:
    class Base(DurableActor[S, M | Pong], Generic[S, M]):
        @handle
        def pong(self, message: Pong) -> None: ...

    class Concrete(Base[Count, Ping], name="test.dispatch.concrete"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    assert Concrete.type_name == "test.dispatch.concrete"
    assert Concrete.__choragus_state__ is Count
    with pytest.raises(HandlerFault, match=r"^Missing says that it handles Ping"):

        class Missing(Base[Count, Ping], name="test.dispatch.missing"):
            pass


def test_a_durable_subclass_keeps_the_name_of_its_stored_data() -> None:
    class First(DurableActor[Count, Ping], name="test.dispatch.first"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    class Second(First):
        pass

    assert (Second.type_name, Second.__choragus_state__) == ("test.dispatch.first", Count)


def test_a_request_names_the_type_of_its_reply() -> None:
    assert (reply_type(Ping), reply_type(Pong), reply_type(AskFailed)) == (int, None, None)


def test_then_must_be_a_reply_method() -> None:
    class Counter(DurableActor[Count, Ping], name="test.dispatch.then"):
        @handle
        def ping(self, message: Ping) -> int:
            return 1

    with pytest.raises(HandlerFault, match=r"^Counter\.ping cannot take a reply: mark it with @reply$"):
        Counter()._method(Counter.ping, "")


def test_a_handler_that_returns_something_else_than_its_message_asks_for_is_refused() -> None:
    @frozen
    class Count(Request[int]):
        pass

    with pytest.raises(
        HandlerFault, match=r"^Wrong\.count returns str, but Count is a Request\[int\]: make them agree$"
    ):

        class Wrong(Actor[Count]):
            @handle
            def count(self, message: Count) -> str:
                return "one"
