"""Starts each life of a scenario as a fork of a process that has loaded it: no interpreter's start, no imports.

The server has one thread and never more: a fork while another thread holds a lock of SQLite's or of malloc's would
leave a child that hangs. It is no fork of the test's own process, which has threads, an event loop and open files.
"""

from __future__ import annotations

import asyncio
import gc
import io
import os
import pickle
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self, cast

import anyio

from choragus.actors.child import Main, Reached, Unpickler, read_frame, write_frame

from .errors import ScenarioFault
from .life import live
from .order import Ended, Order, Scenario, Witness

START = "import sys; sys.path[:] = sys.argv[3:]; from choragus.supervision.testing.fork_server import serve; serve()"

SERVING = "_CHORAGUS_FORK_SERVER"
"""Set in a server's environment: a module that is loaded there must not start another."""


class ForkServer:
    """The test's end of a server.

    Args:
        scenario: an async function at the top of a module, also in a `functools.partial`.
        log: a file for what the server itself prints. Its folder goes with the server, also when the test is killed.

    Raises:
        ScenarioFault: when it cannot be loaded in another process.
    """

    def __init__(self, scenario: Scenario, log: Path) -> None:
        self._name = name_of(scenario)
        self._log = log
        try:
            self._pickled = pickle.dumps(scenario)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise _not_loaded(self._name, str(error)) from error
        self._roots = _roots(scenario)

    def __enter__(self) -> Self:
        ours, theirs = os.pipe()
        arguments = [sys.executable, "-c", START, str(theirs), str(self._log.parent), *self._roots]
        with open(self._log, "ab") as log:
            self._process = subprocess.Popen(
                arguments,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                pass_fds=[theirs],
                env={**os.environ, SERVING: "1"},
                start_new_session=True,
            )
        os.close(theirs)
        self._answers = os.fdopen(ours, "rb")
        main = sys.modules["__main__"]
        script = (getattr(main, "__file__", None), getattr(main, "__package__", None))
        try:
            error = self._ask((script, self._pickled))
            assert isinstance(error, str)
            if error:
                raise _not_loaded(self._name, error)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._process.wait()
        self._answers.close()

    def stop(self) -> None:
        """Tell it to end, and to kill whom it runs."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()

    def run(self, order: Order) -> Ended:
        """Run one life to its end, or to its kill."""
        ended = self._ask(order)
        assert isinstance(ended, Ended)
        return ended

    def _ask(self, question: object) -> object:
        assert self._process.stdin is not None
        try:
            write_frame(cast("BinaryIO", self._process.stdin), pickle.dumps(question))
            return pickle.loads(read_frame(self._answers))
        except (EOFError, BrokenPipeError, ValueError) as error:  # it died, or was stopped
            printed = self._log.read_text(encoding="utf-8", errors="replace")[-2000:] if self._log.exists() else ""
            raise _not_loaded(self._name, f"its process ended with {self._process.wait()}: {printed}") from error


def name_of(scenario: object) -> str:
    """A scenario's name for people."""
    function = _function(scenario)
    return str(getattr(function, "__qualname__", function))


def _function(scenario: object) -> object:
    while (inner := getattr(scenario, "func", None)) is not None:  # a functools.partial
        scenario = inner
    return scenario


def _roots(scenario: object) -> list[str]:
    """Where its process looks for modules: as here, and where this module's own dotted name begins."""
    name: str = getattr(_function(scenario), "__module__", "") or ""
    file = getattr(sys.modules.get(name), "__file__", None)
    roots = [entry or os.getcwd() for entry in sys.path]
    if file is None or name == "__main__":
        return roots
    inner = Path(file).resolve().with_suffix("").parts
    dotted = tuple(name.split("."))
    if inner[-1] == "__init__":
        inner = inner[:-1]
    root = str(Path(*inner[: -len(dotted)])) if inner[-len(dotted) :] == dotted else str(Path(file).resolve().parent)
    return roots if root in roots else [*roots, root]


def _not_loaded(name: str, why: str) -> ScenarioFault:
    return ScenarioFault(
        f"the scenario {name} cannot be loaded in a process of its own: write it as `async def` at the top level of a "
        f"module that can be imported, and give what it needs by functools.partial ({why})"
    )


def serve() -> None:
    """Serve until the input ends."""
    answers = os.fdopen(int(sys.argv[1]), "wb")
    orders = os.fdopen(os.dup(0), "rb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    script, pickled = pickle.loads(read_frame(orders))
    try:
        scenario: Scenario = Unpickler(io.BytesIO(pickled), Main(script)).load()
    except (Exception, Reached) as error:
        write_frame(answers, pickle.dumps(f"{type(error).__name__}: {error}"))
        return
    write_frame(answers, pickle.dumps(""))
    asyncio.run(_warm())
    gc.collect()
    gc.freeze()  # a child's collections then touch, and so copy, less memory
    while True:
        try:
            order: Order = pickle.loads(read_frame(orders))
        except EOFError:
            shutil.rmtree(sys.argv[2], ignore_errors=True)  # in memory, where nobody else would clear it away
            return
        ended = _run(scenario, order, orders, answers)
        with suppress(BrokenPipeError):
            write_frame(answers, pickle.dumps(ended))


async def _warm() -> None:
    """Have anyio import its half for asyncio here, and not in every child (0.04 s)."""
    anyio.CancelScope()


def _run(scenario: Scenario, order: Order, orders: BinaryIO, answers: BinaryIO) -> Ended:
    begun = time.monotonic()
    if threading.active_count() > 1:
        names = ", ".join(thread.name for thread in threading.enumerate()[1:])
        return Ended(
            code=-1, witness=None, error=f"its module starts threads when it is imported: {names}", seconds=0.0
        )
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        os.close(orders.fileno())
        os.close(answers.fileno())
        live(scenario, order, theirs)
    os.close(theirs)
    ready, _, _ = select.select([ours, orders.fileno()], [], [])
    if ours not in ready:  # no more orders, while one is carried out: whoever wanted it is gone
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(ours, "rb") as stream:
        told = stream.read()
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    answer = pickle.loads(told) if told else ""
    witness = answer if isinstance(answer, Witness) else None
    seconds = time.monotonic() - begun
    return Ended(code=code, witness=witness, error=answer if isinstance(answer, str) else "", seconds=seconds)


def is_serving() -> bool:
    """Whether this is a server that loads a scenario's module, or one of its children."""
    return SERVING in os.environ


def stop_loading() -> None:
    """In a server: the main module has come to its `crash_everywhere`, and needs no more."""
    if is_serving():
        raise Reached
