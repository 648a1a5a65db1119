"""Handlers that block: where they run instead of on the event loop."""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Literal, Protocol, get_args

from .process import Processes
from .thread import in_thread

Blocking = Literal["thread", "process"]
PLACES: tuple[Blocking, ...] = get_args(Blocking)

Function = Callable[..., object]
Waiting = Callable[..., Coroutine[object, object, object]]


class House(Protocol):
    """The system, as far as it has processes."""

    processes: Processes


class Inmate(Protocol):
    """An actor of that system."""

    system: House


def off_the_loop(name: str, function: Function, place: Blocking) -> Waiting:
    """The handler as a coroutine function that has it run there and waits for it."""
    return _threaded(name, function) if place == "thread" else _processed(name, function)


def _threaded(name: str, function: Function) -> Waiting:
    @functools.wraps(function)
    async def call(actor: object, message: object) -> object:
        return await in_thread(name, functools.partial(function, actor, message))

    return call


def _processed(name: str, function: Function) -> Waiting:
    @functools.wraps(function)
    async def call(actor: Inmate, message: object) -> object:
        return await actor.system.processes.run(name, function, message)

    return call
