"""What a soak is made of: a bank of durable actors, and runs of an agent with forks, both without an end."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

from attrs import define, frozen

from choragus.actors import Actor, DurableActor, EffectContext, EffectFailed, Request, handle, reply
from choragus.actors.message import AskFailed
from choragus.agents import (
    Agent,
    ApprovalRequested,
    FunctionModel,
    ModelReply,
    ModelRequest,
    Run,
    Runtime,
    ToolCall,
    ToolContext,
    tool,
)
from choragus.mailbox import OnInterrupt, SqliteStore, back_up, stored
from choragus.mailbox.turn import Batch, Committed, Pruning, Rejected
from choragus.supervision import Restart, System

ACCOUNTS = 40
KEEP = 100
"""Lines of an account's stream that are kept, and rounds between two prunings of the bank."""
KEPT = 30.0
"""Seconds that the bank keeps a key, and that the runtime keeps a run."""
SEEN = "x" * 500


class Pace:
    """Lets the process have so much of a core, and no more.

    Args:
        share: of one core, 0 to 1.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._begun = time.monotonic()
        self._spent = time.process_time()

    async def pause(self) -> None:
        """Sleep off what was spent; time in which others had the processor is not made up for."""
        due = self._begun + (time.process_time() - self._spent) / self._share
        late = time.monotonic() - due
        self._begun += max(0.0, late)
        await asyncio.sleep(max(0.005, -late))


class Counting(SqliteStore):
    """A store that knows how much was written."""

    turns = 0
    messages = 0

    async def commit(self, batch: Batch) -> Committed | Rejected:
        """See `Store.commit`."""
        self.turns += len(batch.turns)
        self.messages += len(batch.appends) + len(batch.closures) + sum(len(turn.sends) for turn in batch.turns)
        return await super().commit(batch)


@stored("soak.pay")
@frozen
class Pay(Request[int]):
    to: str
    amount: int


@stored("soak.receive")
@frozen
class Receive:
    amount: int


@stored("soak.owed")
@frozen
class Owed(Request[int]):
    pass


@stored("soak.ring")
@frozen
class Ring:
    pass


@stored("soak.beat")
@frozen
class Beat:
    pass


@stored("soak.balance")
@define
class Balance:
    total: int = 0
    handled: int = 0


class Account(DurableActor[Balance, Pay | Receive | Owed | Ring | Beat], name="soak.account"):
    """Pays, is paid, and does now and then what a durable actor can do."""

    @property
    def stream(self) -> str:
        return f"account/{self.key}"

    @handle
    def pay(self, message: Pay) -> int:
        other = self.ref(Account, message.to)
        other.tell(Receive(message.amount))
        self._note(-message.amount)
        if self.state.handled % 5 == 0:
            self.timer("ring", Ring(), after=0.2)
        if self.state.handled % 11 == 0:
            self.ask(other, Owed(), then=self.owed_there)
        if self.state.handled == 1:
            self.ticker("beat", Beat(), every=1.0)
        return self.state.total

    @handle
    async def receive(self, message: Receive) -> None:
        if self.state.handled % 7 == 0:
            await self.step("look", lambda: SEEN, on_interrupt=OnInterrupt.RERUN)
        failed = self.resources
        assert isinstance(failed, dict)
        if self.state.handled % 50 == 49 and failed.get(self.key) != self.state.handled:
            failed[self.key] = self.state.handled
            raise ConnectionError("now and then")
        self._note(message.amount)

    @handle
    def owed(self, message: Owed) -> int:
        return self.state.total

    @handle
    def ring(self, message: Ring) -> None:
        self.effect("post", message, then=self.posted, on_interrupt=OnInterrupt.RERUN)

    @handle
    def beat(self, message: Beat) -> None:
        self.log("beat")

    @reply
    def posted(self, result: str | EffectFailed) -> None:
        self.log("posted")

    @reply
    def owed_there(self, result: int | AskFailed) -> None:
        self.log("owed", there=str(result))

    def _note(self, amount: int) -> None:
        self.state.total += amount
        self.state.handled += 1
        self.log("moved", amount=amount)
        self.view("account", self.key, {"total": self.state.total})


@stored("soak.visit")
@frozen
class Visit(Request[int]):
    is_last: bool


@stored("soak.stay")
@define
class Stay:
    visits: int = 0


class Guest(DurableActor[Stay, Visit], name="soak.guest"):
    """One of ever new keys, and gone soon."""

    @handle
    def visit(self, message: Visit) -> int:
        self.state.visits += 1
        if message.is_last:
            self.end()
        return self.state.visits


class Porter(Actor[Visit]):
    """A volatile actor that stops soon."""

    @handle
    def visit(self, message: Visit) -> int:
        self.stop()
        return 1


async def post(request: object, context: EffectContext) -> str:
    """An effect, which fails now and then."""
    await asyncio.sleep(0.001)
    if random.random() < 0.02:
        raise ConnectionError("no post today")
    return SEEN


async def bank(store: Counting, pace: Pace) -> None:
    """Ten payments at a time, a guest and a porter, and now and then what is old goes."""
    async with System(store=store, actors=[Account, Guest], runners={"post": post}, resources={}) as system:
        for number in count():
            async with asyncio.TaskGroup() as group:
                for part in range(10):
                    payer, payee = random.sample(range(ACCOUNTS), 2)
                    key = f"{number}/{part}" if part < 3 else ""
                    account = system.ref(Account, str(payer))
                    group.create_task(account.ask(Pay(str(payee), part), key=key))
                group.create_task(_visit(system, number))
            if number % KEEP == KEEP - 1:
                await _prune_bank(store)
            await pace.pause()


async def _visit(system: System, number: int) -> None:
    guest = system.ref(Guest, str(number))
    await guest.ask(Visit(False))
    await guest.ask(Visit(True))
    porter = await system.spawn(Porter, restart=Restart.TEMPORARY)
    await porter.ask(Visit(True))


async def _prune_bank(store: SqliteStore) -> None:
    now = time.time()
    streams = {f"account/{key}": (await store.extent(f"account/{key}")).last - KEEP for key in range(ACCOUNTS)}
    streams = {stream: upto for stream, upto in streams.items() if upto > 0}
    pruning = Pruning(at=now, streams=streams, keys_before=now - KEPT)
    while not (await store.prune(pruning)).done:  # noqa: ASYNC110  # each call takes a part
        await asyncio.sleep(0.01)


def payer() -> Agent:
    """An agent that looks, thinks, and pays twice; the second time a person is asked again."""

    @tool(risk="read")
    async def look(at: str) -> str:
        """Look."""
        await asyncio.sleep(0.001)
        return f"{at}: {SEEN}"

    @tool(risk="irreversible")
    async def pay(amount: int, *, context: ToolContext) -> str:
        """Pay."""
        return f"paid {amount} with {context.idempotency_key}"

    replies = (
        ModelReply(text=SEEN, calls=(ToolCall("a", "look", {"at": "door"}), ToolCall("b", "look", {"at": "till"}))),
        ModelReply(calls=(ToolCall("c", "pay", {"amount": 5}),)),
        ModelReply(text=SEEN, calls=(ToolCall("d", "look", {"at": "till"}), ToolCall("e", "invented", {}))),
        ModelReply(calls=(ToolCall("f", "pay", {"amount": 7}),)),
        ModelReply(text="All is paid."),
    )

    def answer(request: ModelRequest) -> ModelReply:
        return replies[sum(message.role == "assistant" for message in request.messages)]

    return Agent("payer", model=FunctionModel(answer), tools=[look, pay])


async def runs(store: Counting, pace: Pace, ended: Callable[[], None]) -> None:
    """One run after the other, of each third a fork, of each tenth the wish to end it; old ones go.

    Args:
        ended: is called with each run that has ended.
    """
    agent = payer()
    async with Runtime(store=store, agents=[agent]) as runtime:
        for number in count():
            run = await runtime.start(agent, "Pay.", key=str(number))
            if number % 10 == 9:
                await run.cancel(by="mia")
            await _finish(run)
            ended()
            asked = [event.position async for event in run.past() if isinstance(event, ApprovalRequested)]
            if number % 3 == 0 and asked:
                await _finish(await runtime.fork(run.id, at=asked[-1]))
                ended()
            if number % 50 == 49:
                await runtime.prune(older_than=KEPT)
            if number % 250 == 249:
                await _copy(store.path)
            await pace.pause()


async def _finish(run: Run) -> None:
    async for _ in run.events():
        for approval in await run.pending():
            await run.approve(approval, by="mia")


async def _copy(path: Path) -> None:
    copy = path.with_name("copy.db")
    await back_up(path, copy)
    copy.unlink()
