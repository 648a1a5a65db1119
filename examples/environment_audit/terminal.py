"""The terminal: plain text out, one letter in."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path


def say(text: str = "") -> None:
    """Print at once, also into a pipe, and in one piece, whatever else is printed by other threads."""
    print(f"{text}\n", end="", flush=True)


def show(arguments: Mapping[str, object]) -> None:
    """Print exact arguments, one to a line."""
    for name, value in arguments.items():
        say(f"  {name} = {value!r}")


def plain(text: str) -> str:
    """The text with escapes for whatever a terminal would not show: packages name themselves, and models quote them."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


def nobody_here(what: str, commands: list[str], code: int) -> int:
    """Say what to do where a person is; gives back the exit code."""
    say("\n  ".join([what, *commands]))
    say("and run the same command again")
    return code


def command(name: str, database: Path, *rest: str) -> str:
    """A command of choragus as it can be typed in any terminal and folder."""
    beside = Path(sys.executable).with_name("choragus")
    known = shutil.which("choragus")
    if known is not None and Path(known) == beside:
        program = ["choragus"]
    else:
        program = [str(beside)] if beside.exists() else [sys.executable, "-m", "choragus"]
    return shlex.join([*program, name, str(database.resolve()), *rest])


def can_ask() -> bool:
    """Whether a person can be asked here."""
    return sys.stdin is not None and sys.stdin.isatty()


async def ask(question: str, choices: str) -> str | None:
    """One of the letters, typed at the terminal; asks until it is one. None when the terminal is closed."""
    while True:
        print(question, end="", flush=True)
        line = await _line()
        answer = line.strip().lower()[:1]
        if not line or (answer and answer in choices):
            return answer or None


async def _line() -> str:
    """A line from the terminal; cancelling it leaves the terminal alone."""
    loop = asyncio.get_running_loop()
    terminal = sys.stdin.fileno()
    ready = asyncio.Event()
    loop.add_reader(terminal, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(terminal)
    return os.read(terminal, 4096).decode(errors="replace")
