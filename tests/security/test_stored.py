"""What comes out of a file, or out of a message, is data: it names no code, forges no sender and breaks no query."""

from __future__ import annotations

import ast
import asyncio
import resource
import sys
from pathlib import Path

import pytest
from attrs import frozen

from choragus.actors import Actor, handle
from choragus.actors.errors import MailboxFull
from choragus.actors.mailbox import Mailbox, Overflow
from choragus.agents import Agent, FunctionModel, Runtime
from choragus.mailbox.codec import Record, decode
from choragus.mailbox.errors import UnknownRecord
from choragus.supervision import System

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [path for floor in ("mailbox", "actors", "supervision", "agents") for path in (ROOT / floor).rglob("*.py")]

FORBIDDEN_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "yaml", "jsonpickle"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
PIPES = {"actors/process.py", "actors/child.py", "testing/fork_server.py", "testing/life.py"}
"""They talk to a child process of their own, over its pipes, in pickles that never touch a file or a message."""

PLAIN_YAML = {"safe_load", "compose", "SafeLoader", "YAMLError", "SequenceNode"}
"""What the one module that reads YAML uses of its library: none of it makes anything but plain values."""


def test_s19_nothing_that_stores_or_reads_can_make_code_of_data() -> None:
    found: list[str] = []
    for path in SOURCES:
        if "/".join(path.parts[-2:]) in PIPES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
                known = {"yaml"} if path.parts[-2:] == ("evaluation", "marked.py") else set[str]()
                found += [f"{path}:{node.lineno}: {name}" for name in names & FORBIDDEN_MODULES - known]
            elif isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in FORBIDDEN_MODULES:
                found.append(f"{path}:{node.lineno}: {node.module}")
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(f"{path}:{node.lineno}: {node.func.id}()")
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "yaml":
                found += [] if node.attr in PLAIN_YAML else [f"{path}:{node.lineno}: yaml.{node.attr}"]

    assert found == []


def test_s19_a_stored_path_of_a_class_imports_nothing() -> None:
    before = set(sys.modules)

    with pytest.raises(UnknownRecord):
        decode(Record("antigravity.Fly", 1, b'{"py/object": "antigravity.Fly"}'))

    assert set(sys.modules) == before


NASTY = [
    'it\'s "quoted"',
    "'; DROP TABLE message; --",
    "\0 in the middle",
    "\u202etfel ot thgir",
    "x" * 1_000_000,
    "日本",
]


@pytest.mark.parametrize("text", NASTY, ids=["quotes", "drop", "nul", "rtl", "1 MB", "wide"])
async def test_s21_any_text_is_only_text(text: str, tmp_path: Path) -> None:
    clerk = Agent("clerk", model=FunctionModel(lambda request: str(len(request.messages[-1].text))))
    async with Runtime(tmp_path / "runs.db", agents=[clerk]) as runtime:
        run = await runtime.start(clerk, text, key=text[:100])
        answer = await run.result(10)
        same = await runtime.start(clerk, "other", key=text[:100])
        listed = [one.goal for one in await runtime.runs()]
        problems = (await runtime.store.verify()).problems

    assert (answer, same.id, listed, problems) == (str(len(text)), run.id, [text], ())


@frozen
class Order:
    """A message with a field that claims who sent it."""

    sender: str


class Clerk(Actor[Order]):
    """Takes orders."""

    @handle
    def order(self, message: Order) -> None:
        """Nothing to do."""


async def test_s13_the_runtime_says_who_sent_a_message_and_not_the_message() -> None:
    async with System() as system:
        clerk = await system.spawn(Clerk, name="clerk")

        await clerk.send(Order("king"))
        while not system.recent():  # noqa: ASYNC110  # handled within a few turns of the loop
            await asyncio.sleep(0)

        (handled,) = system.recent()
        assert (handled.actor, handled.sender) == ("clerk", "")


class Slow(Actor[Order]):
    """Is never through."""

    @handle
    async def order(self, message: Order) -> None:
        """For ever."""
        await asyncio.Event().wait()


@pytest.mark.parametrize("overflow", [Overflow.REJECT, Overflow.DROP_NEWEST, Overflow.DROP_OLDEST])
async def test_s33_a_flood_is_refused_or_dropped_and_costs_no_memory(overflow: Overflow) -> None:
    refused = 0
    async with System() as system:
        slow = await system.spawn(Slow, name="slow", shutdown=0.1, mailbox=Mailbox(limit=1_000, overflow=overflow))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

        for _ in range(100_000):
            try:
                slow.tell(Order(""))
            except MailboxFull:
                refused += 1

        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before

    assert grown < 20_000, f"{grown} kB more"
    assert (refused >= 99_000) is (overflow is Overflow.REJECT)
