"""Functions in processes of their own, which can be killed.

Not `multiprocessing`'s pool nor anyio's: in theirs Ctrl-C reaches the children, a script without
`if __name__ == "__main__"` runs a second time, and a child that is busy outlives a parent that was killed.
"""

from __future__ import annotations

import asyncio
import functools
import io
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable

from .child import MAIN, RAISED, RETURNED, read_frame, write_frame
from .errors import NotPicklable, ProcessDied, SystemStopped
from .thread import in_thread

START = "import sys; sys.path[:] = sys.argv[1:]; from choragus.actors.child import serve; serve()"
REAP = 1.0
"""Seconds that a killed process has to be gone at the end."""


class Processes:
    """The processes of one system, each started when it is needed and kept until the system ends.

    Args:
        most: as many run at once, by default one for each CPU; further calls wait for one of them.
    """

    def __init__(self, most: int | None = None) -> None:
        self._room = asyncio.Semaphore(most or os.cpu_count() or 1)
        self._idle: list[_Process] = []
        self._all: set[_Process] = set()
        self._closed = False

    async def run(self, name: str, function: Callable[[object], object], message: object) -> object:
        """What the function gives for the message. A caller that is cancelled has the process killed.

        Raises:
            NotPicklable: when the message, the result or what the function raised cannot go between processes.
            ProcessDied: when the process ended meanwhile.
            SystemStopped: when the processes have been closed.
        """
        request = _request(name, function, message)
        if getattr(asyncio.get_running_loop(), "is_simulated", False):
            return await in_thread(name, functools.partial(function, pickle.loads(pickle.dumps(message))))
        async with self._room:
            process = self._free(name)
            try:
                answer = await in_thread(name, functools.partial(process.call, name, request))
            except BaseException:
                process.kill()
                raise
            self._idle.append(process)
        return _opened(name, answer)

    def _free(self, name: str) -> _Process:
        if self._closed:
            raise SystemStopped(f"the system has stopped; {name} gets no process")
        for dead in [process for process in self._idle if process.has_ended]:
            self._idle.remove(dead)
            dead.reap()
        self._all = {process for process in self._all if not process.is_gone}
        process = self._idle.pop() if self._idle else _Process()
        self._all.add(process)
        return process

    async def close(self) -> None:
        """Kill every process, and see it gone."""
        self._closed = True
        processes, self._all = self._all, set()
        self._idle.clear()
        for process in processes:
            process.kill()
        if processes:
            await in_thread("processes", functools.partial(_reap, processes))


class _Process:
    """One process, started by its first call. `call` and `reap` block; `kill` may come from another thread."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def has_ended(self) -> bool:
        """Whether it was started, and is gone."""
        return self._process is not None and self._process.poll() is not None

    @property
    def is_gone(self) -> bool:
        """Whether it has been reaped."""
        pipe = None if self._process is None else self._process.stdout
        return self.has_ended and pipe is not None and pipe.closed

    def call(self, name: str, request: bytes) -> bytes:
        """Hand it the request and wait for the answer."""
        try:
            process = self._process or self._start()
            assert process.stdin is not None
            assert process.stdout is not None
            write_frame(process.stdin, request)  # type: ignore[arg-type]  # a binary pipe
            return read_frame(process.stdout)  # type: ignore[arg-type]  # the same
        except (EOFError, OSError) as error:
            self.kill()
            self.reap()
            code = self._process.returncode if self._process is not None else None
            raise ProcessDied(f"the process of {name} ended in the middle of it (exit code {code})") from error

    def kill(self) -> None:
        """End it at once, with all that it has started."""
        self._killed = True
        process = self._process
        if process is None or process.poll() is not None:
            return
        try:
            if sys.platform == "win32":
                process.kill()
            else:
                os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def reap(self) -> None:
        """Wait until it is gone, and let go of its pipes."""
        process = self._process
        if process is None:
            return
        try:
            process.wait(REAP)
        except subprocess.TimeoutExpired:
            return
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # what was left unsent
                continue

    def _start(self) -> subprocess.Popen[bytes]:
        """A session of its own keeps the terminal's Ctrl-C from it."""
        process = self._process = subprocess.Popen(
            [sys.executable, "-c", START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        if self._killed:  # while it started
            self.kill()
        main = sys.modules["__main__"]
        told = (getattr(main, "__file__", None), getattr(main, "__package__", None))
        assert process.stdin is not None
        write_frame(process.stdin, pickle.dumps(told))  # type: ignore[arg-type]  # a binary pipe
        return process


def _reap(processes: set[_Process]) -> None:
    for process in processes:
        process.reap()


def _request(name: str, function: Callable[[object], object], message: object) -> bytes:
    try:
        return pickle.dumps((function, message), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        raise _refused(name, "message", f"{type(message).__name__}: {error}") from error


def _opened(name: str, answer: bytes) -> object:
    """The result, or what the handler raised, raised here."""
    status, data = answer[:1], answer[1:]
    if status == RETURNED:
        return _loaded(name, "result", data)
    if status == RAISED:
        inner, trace = pickle.loads(data)
        error = _loaded(name, "exception", inner)
        assert isinstance(error, BaseException)
        error.add_note(f"in the process of {name}:\n{trace}")
        raise _carried(error)
    what, _, why = data.decode().partition("\n")
    raise _refused(name, what, why)


def _carried(error: BaseException) -> BaseException:
    """What would end this process ended the other one's handler only."""
    if isinstance(error, Exception):
        return error
    carried = RuntimeError(f"it raised {type(error).__name__}: {error}")
    carried.__cause__ = error
    return carried


def _loaded(name: str, what: str, data: bytes) -> object:
    try:
        return _Unpickler(io.BytesIO(data)).load()
    except Exception as error:
        raise _refused(name, what, str(error)) from error


def _refused(name: str, what: str, why: str) -> NotPicklable:
    return NotPicklable(
        f"{name} runs in a process of its own, and its {what} cannot be pickled: {why}. Use plain data and classes of "
        'importable modules, or blocking="thread"'
    )


class _Unpickler(pickle.Unpickler):
    """Takes back what the child's copy of the main module made."""

    def find_class(self, module: str, name: str, /) -> object:
        return super().find_class("__main__" if module == MAIN else module, name)
