"""Conversations over many runs: a thread by its name, its runs, and all that was said in it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Any, TypeVar

import attrs
import msgspec

from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .agent import Agent
from .desk import Desk
from .errors import AgentFault, UnknownThread
from .following import thread_id, thread_stream
from .inspection import RunSummary, find_run, find_summary
from .message import StartRun
from .model import ChatMessage, Image
from .output import Output
from .run import Run
from .speaking import last_run, said, say
from .speech import Place
from .steering import Steering
from .storable import storable
from .stream import conversation_stream
from .tenancy import check_same

T = TypeVar("T")

PAGE = 500

LONGEST_NAME = 1_000
"""Characters of a thread's name."""


@attrs.frozen(kw_only=True)
class HistoryLine:
    """One line of a conversation: in which run it was said, at what time (seconds since the epoch), and the message."""

    run: str
    at: float
    message: ChatMessage

    @property
    def role(self) -> str:
        """Who says it: "user", "assistant" or "tool"."""
        return self.message.role

    @property
    def text(self) -> str:
        """What is said."""
        return self.message.text


class Thread:
    """A conversation with an agent, over as many runs as it took."""

    def __init__(self, id: str, name: str, desk: Desk) -> None:
        self.id = id
        self.name = name
        self._desk = desk

    def __repr__(self) -> str:
        return f"<Thread {self.name or self.id}>"

    async def runs(self) -> list[RunSummary]:
        """Its runs, in their order; those that were pruned are not there any more."""
        return [one async for one in runs_of(self._desk.store, self.id)]

    def history(self) -> AsyncIterator[HistoryLine]:
        """All that was said in it, in order, each line once; as it stands now, without waiting for more.

        Where runs were pruned it begins with what the first that is left had taken over from them.
        """
        return history(self._desk.store, self.id)

    async def send(self, text: str, images: Iterable[Image] = (), *, by: str = "host", key: str = "") -> Run[Any]:
        """Say something in it: to its last run, as by `Run.send`."""
        message = said(text, images, by, key)
        last = await last_run(self._desk.store, self.id) or ("" if self.name else self.id)
        if not last:
            raise UnknownThread(self.name, "all of its runs were pruned: begin it with Runtime.start(thread=...)")
        run = await say(self._desk, last, message)
        agent = (await find_run(self._desk.store, run, self._desk.place)).agent
        return Run(run, self._desk, self._desk.services.output(agent))


class Conversations(Steering):
    """What a runtime knows of conversations."""

    _agents: Mapping[str, Agent[object]]

    async def thread(self, name: str | Run[object], agent: Agent[object] | None = None) -> Thread:
        """The conversation of that name.

        Args:
            name: or a run that is part of it. One that nothing followed is a conversation by itself.
            agent: with whom; only needed where several agents have one of that name.

        Raises:
            UnknownThread: when there is none, or several agents have one.
        """
        if isinstance(name, Run):
            run = await name.status()
            return Thread(run.thread or run.run, run.name, self._desk)
        check_name(name)
        asked = [agent.name] if agent is not None else list(self._agents)
        there = [one for one in asked if (await self.store.extent(thread_stream(thread_id(one, name)))).count]
        if len(there) != 1:
            among = ", ".join(there or asked)
            why = "several agents have one, say which:" if there else "begin it with Runtime.start(thread=...), with"
            raise UnknownThread(name, f"{why} {among}")
        return Thread(thread_id(there[0], name), name, self._desk)


def check_name(name: object) -> None:
    """Refuse what names no thread; raises AgentFault."""
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not _is_storable(name):
        raise AgentFault(f"thread={str(name)[:80]!r} is no name: give a text of 1 to {LONGEST_NAME:,} characters")


async def begin_or_send(
    desk: Desk, start: StartRun, name: str, parent: Run[object] | None, output: Output[T] | None
) -> Run[T]:
    """Begin the conversation of that name, or go on with it."""
    if parent is not None:
        raise AgentFault(f"thread={name!r} and parent={parent!r} were both given: a sub-run begins no conversation")
    check_name(name)
    thread = thread_id(start.agent, name)
    last = await last_run(desk.store, thread)
    await check_same(desk.store, last, start.tenant, f"thread {name!r}")
    if not last:
        gone = (await desk.store.extent(thread_stream(thread))).last
        last = thread_id(start.agent, name, gone)
        await desk.services.check_evaluated_by_now(start.agent)
        begin = attrs.evolve(start, key="", place=Place(thread=thread, name=name, said=start.key))
        if await desk.orchestrator(last).ask(begin):
            return Run(last, desk, output)
    message = attrs.evolve(said(start.goal, start.images, "host", start.key), plan=start.plan)
    return Run(await say(desk, last, message), desk, output)


async def runs_of(store: Store, thread: str) -> AsyncIterator[RunSummary]:
    """The runs of a thread that are not pruned, in their order."""
    after, stream = 0, thread_stream(thread)
    if not (await store.extent(stream)).last and (alone := await find_summary(store, thread)):
        yield alone
    while lines := await store.read(stream, after, PAGE):
        for line in lines:
            run = await find_summary(store, str(msgspec.json.decode(line.body)["run"]))
            if run is not None:
                yield run
        after = lines[-1].position


async def history(store: Store, thread: str) -> AsyncIterator[HistoryLine]:
    """What was said in a thread: of each run what it has not taken over from the one before."""
    before = ""
    async for run in runs_of(store, thread):
        after = run.carried if run.follows == before else 0
        before = run.run
        async for line in _said(store, run.run, after):
            yield line


async def _said(store: Store, run: str, after: int) -> AsyncIterator[HistoryLine]:
    while lines := await store.read(conversation_stream(run), after, PAGE):
        for line in lines:
            message = decode_as(ChatMessage, Record("json", 1, line.body))
            yield HistoryLine(run=run, at=line.at, message=message)
        after = lines[-1].position


def _is_storable(text: str) -> bool:
    """Whether it can be written as UTF-8; half a surrogate pair cannot."""
    return storable(text) == text
