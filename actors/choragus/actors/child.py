"""What runs in a process of its own: takes pickled calls from its standard input, one at a time, and answers them.

Nothing but the standard library, and nothing printed: its parent tells what went wrong.
"""

from __future__ import annotations

import asyncio
import importlib.util
import io
import os
import pickle
import queue
import signal
import struct
import sys
import threading
import traceback
from collections.abc import Coroutine
from types import ModuleType
from typing import BinaryIO, Never

HEADER = struct.Struct(">Q")
MAIN = "__mp_main__"
"""What the parent's `__main__` is called here, as in `multiprocessing`: `if __name__ == "__main__"` is not taken."""

RETURNED, RAISED, UNPICKLABLE = b"=", b"!", b"?"


def write_frame(stream: BinaryIO, data: bytes) -> None:
    """Send one piece, its length (8 bytes) first."""
    stream.write(HEADER.pack(len(data)))
    stream.write(data)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes:
    """Take one piece.

    Raises:
        EOFError: when the other side has closed it, or died.
    """
    header = stream.read(HEADER.size)
    if len(header) < HEADER.size:
        raise EOFError
    (size,) = HEADER.unpack(header)
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def serve() -> None:
    """Answer calls until the parent closes the pipe or dies; this process then ends at once, whatever it does.

    It is ended by its parent and by nobody else: Ctrl-C and SIGTERM are the parent's to answer.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    source = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)  # what a handler prints must not be taken for an answer
    calls: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(source, calls), daemon=True).start()
    main = Main(pickle.loads(calls.get()))
    while True:
        status, answer = _answer(calls.get(), main)
        try:
            write_frame(answers, status + answer)
        except OSError:  # the parent is gone
            os._exit(0)


def _listen(source: BinaryIO, calls: queue.SimpleQueue[bytes]) -> None:
    try:
        while True:
            calls.put(read_frame(source))
    except (EOFError, OSError):
        os._exit(0)


def _answer(request: bytes, main: Main) -> tuple[bytes, bytes]:
    try:
        function, message = Unpickler(io.BytesIO(request), main).load()
    except BaseException as error:
        text = f"it cannot be loaded in the process ({type(error).__name__}: {error})"
        return UNPICKLABLE, f"message\n{text}".encode()
    try:
        result = function(message)
    except BaseException as error:
        return _raised(error, main)
    try:
        return RETURNED, pickle.dumps(result, pickle.HIGHEST_PROTOCOL)
    except BaseException as error:
        return UNPICKLABLE, f"result\n{type(result).__name__}: {error}".encode()


def _raised(error: BaseException, main: Main) -> tuple[bytes, bytes]:
    trace = "".join(traceback.format_exception(error))
    try:
        data = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        Unpickler(io.BytesIO(data), main).load()  # many an exception goes in and does not come out
    except BaseException as why:
        return UNPICKLABLE, f"exception\n{type(error).__name__}: {error} ({why})\n{trace}".encode()
    return RAISED, pickle.dumps((data, trace))


class Unpickler(pickle.Unpickler):
    """Looks for what the parent's main module defines once it is needed: most calls need none of it."""

    def __init__(self, file: io.BytesIO, main: Main) -> None:
        super().__init__(file)
        self._main = main

    def find_class(self, module: str, name: str, /) -> object:
        if module in ("__main__", MAIN):
            self._main.load()
            module = MAIN
        return super().find_class(module, name)


class Reached(BaseException):
    """The main module starts its event loop: all that it defines for it is there by now."""


class Main:
    """The parent's main module.

    Its top level runs once, up to where it starts an event loop: a script without `if __name__ == "__main__"` works,
    and does not start all over again in here.
    """

    def __init__(self, told: tuple[str | None, str | None]) -> None:
        self._path, self._package = told
        self._loaded = False

    def load(self) -> None:
        """Run it, the first time."""
        if self._loaded:
            return
        self._loaded = True
        if not self._path or not os.path.isfile(self._path):
            raise ModuleNotFoundError("__main__ is no file: put the actor into a module")
        module = ModuleType(MAIN)
        module.__file__ = self._path
        module.__package__ = self._package
        sys.modules["__main__"] = sys.modules[MAIN] = module
        with open(self._path, "rb") as file:
            source = importlib.util.decode_source(file.read())
        run = asyncio.Runner.run
        setattr(asyncio.Runner, "run", _reach)  # noqa: B010  # only while it is loaded
        try:
            exec(compile(source, self._path, "exec"), module.__dict__)
        except Reached:
            return
        finally:
            setattr(asyncio.Runner, "run", run)  # noqa: B010


def _reach(runner: object, coroutine: Coroutine[object, object, object], **keywords: object) -> Never:
    coroutine.close()
    raise Reached
