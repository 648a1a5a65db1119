"""Runs the example, a fork for each run, so that a run costs neither an interpreter's start nor its imports.

    python -m tests.scenarios.fork_server

Reads one request per line and answers each with one line of JSON. This process has one thread and never more: a fork
while another thread holds a lock of SQLite's or of malloc's would leave a child that hangs.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import attrs
import msgspec

import audit_environment
from choragus.agents import cli, visit

from .kill_point import Meter, Point, fit

HERE = Path(__file__)
PATIENCE = 30
"""Seconds after which a run counts as stuck: the kernel ends it with SIGALRM."""

Program = Literal["audit", "choragus"]
MAINS: Mapping[Program, Callable[[], int]] = {"audit": audit_environment.main, "choragus": cli.main}


@attrs.frozen(kw_only=True)
class Order:
    """One run: which program with which arguments, where its executions are noted, and when it dies."""

    program: Program
    arguments: list[str]
    ledger: str
    output: str
    point: Point | None


@attrs.frozen(kw_only=True)
class Ended:
    """How a run ended: its exit code (negative: a signal), what it printed, and, unless it was killed, its counts."""

    code: int
    text: str
    counts: dict[str, int]
    seconds: float


class ForkServer:
    """The other end: starts the server as a process of its own, and asks it for one run after the other."""

    def __enter__(self) -> Self:
        root = HERE.parents[2]
        path = os.pathsep.join([str(root / "examples"), os.environ.get("PYTHONPATH", "")])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.fork_server"],
            cwd=root,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, order: Order) -> Ended:
        """Run to the end, or to the kill."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(attrs.asdict(order)) + b"\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the fork server is gone with {self._process.wait()}"
        return msgspec.json.decode(answer, type=Ended)


def main() -> None:
    """Serve until the input ends."""
    gc.collect()
    gc.freeze()  # a child's collections then touch, and so copy, less memory
    while line := sys.stdin.buffer.readline():
        assert threading.active_count() == 1, "fork only from a process with one thread"
        ended = _run(msgspec.json.decode(line, type=Order))
        sys.stdout.buffer.write(msgspec.json.encode(attrs.asdict(ended)) + b"\n")
        sys.stdout.buffer.flush()


def _run(order: Order) -> Ended:
    begun = time.monotonic()
    Path(order.output).write_bytes(b"")
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(ours)
        _live(order, theirs)
    os.close(theirs)
    patience = order.point.number if order.point is not None and order.point.kind == "delay" else None
    if not select.select([ours], [], [], patience)[0]:
        os.kill(pid, signal.SIGKILL)
    told = b"".join(iter(lambda: os.read(ours, 65_536), b""))
    os.close(ours)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    text = Path(order.output).read_text(encoding="utf-8", errors="replace")
    return Ended(code=code, text=text, counts=msgspec.json.decode(told or b"{}"), seconds=time.monotonic() - begun)


def _live(order: Order, told: int) -> None:
    """The child's whole life."""
    signal.alarm(PATIENCE)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(os.open(order.output, os.O_WRONLY | os.O_APPEND), 1)
    os.dup2(1, 2)
    sys.argv = [order.program, *order.arguments]
    meter = Meter(order.point)
    code = 70
    try:
        visit.PATIENCE = 0.0  # nobody runs who could take a message up: do not wait for it
        fit(meter, Path(order.ledger))
        code = MAINS[order.program]()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        os.write(told, msgspec.json.encode(meter.counts))
        os._exit(code)


if __name__ == "__main__":
    main()
