"""The user's own code, by `--app module:name`: a Runtime, or what gives one."""

from __future__ import annotations

import inspect
import os
import sys
import traceback
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, AsyncExitStack, asynccontextmanager
from importlib import import_module

from choragus.agents.errors import AgentError
from choragus.agents.runtime import Runtime

from .exit import Refused

HOW = "--app takes MODULE:NAME, such as myservice:runtime"


def load(app: str) -> object:
    """What the name stands for; the current folder is looked in too.

    Raises:
        Refused: when there is no such module or name, or the module cannot be imported.
    """
    module, colon, name = app.partition(":")
    if not (module and colon and name):
        raise Refused(f"{app!r} names no runtime: {HOW}")
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        found: object = import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and (module == error.name or module.startswith(f"{error.name}.")):
            raise Refused(f"there is no module {module!r} in {folder} or on the path: {HOW}") from error
        raise Refused(_broken(module, error)) from error
    except Exception as error:  # the user's module may raise anything
        raise Refused(_broken(module, error)) from error
    for part in name.split("."):
        if not hasattr(found, part):
            raise Refused(f"module {module!r} has no {name!r}: {_instead(import_module(module))}")
        found = getattr(found, part)
    return found


@asynccontextmanager
async def opened(app: str) -> AsyncIterator[Runtime]:
    """The runtime, open.

    Raises:
        Refused: when there is none, or what is there gives none.
    """
    async with AsyncExitStack() as stack:
        runtime = await unopened(app, stack)
        yield runtime if runtime.is_open else await stack.enter_async_context(runtime)


async def unopened(app: str, stack: AsyncExitStack) -> Runtime:
    """The runtime as the application gives it: open already when it comes out of a context manager, perhaps."""
    given = load(app)
    if isinstance(given, type):
        raise Refused(f"{app} is the class {given.__name__}: name a Runtime, or a function that gives one")
    if callable(given) and not isinstance(given, Runtime):
        try:
            inspect.signature(given).bind()
        except TypeError as error:
            raise Refused(f"{app} cannot be called without arguments: {error}") from error
        given = given()
    if inspect.isawaitable(given):
        given = await given
    if isinstance(given, Runtime):
        return given
    if isinstance(given, AbstractAsyncContextManager):
        given = await stack.enter_async_context(given)
    elif isinstance(given, AbstractContextManager):
        given = stack.enter_context(given)
    if not isinstance(given, Runtime):
        raise Refused(f"{app} is no Runtime, and gives none: it is of type {type(given).__name__}")
    return given


def _broken(module: str, error: Exception) -> str:
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "importlib" not in frame.filename]
    where = f" in {frames[-1].filename}, line {frames[-1].lineno}" if frames else ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f" in {error.filename}, line {error.lineno}"
    if isinstance(error, AgentError):
        return f"module {module!r} cannot be imported{where}: {error}"
    return f"module {module!r} cannot be imported{where}: {type(error).__name__}: {error}"


def _instead(module: object) -> str:
    there = [name for name, value in vars(module).items() if isinstance(value, Runtime)]
    return (
        f"its runtimes are {', '.join(there)}" if there else "it has no Runtime; name one, or a function that gives one"
    )
