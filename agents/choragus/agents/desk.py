"""What runs need from the runtime around them: their actors, news from the logbook, and why there will be none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from choragus.actors.errors import MailboxFull, SystemStopped
from choragus.actors.event import Event, Parked, Suspended
from choragus.actors.ref import Ref
from choragus.mailbox.address import ActorId, actor_id, key_of, type_of
from choragus.mailbox.codec import tag_of
from choragus.mailbox.store import Store
from choragus.supervision.system import System

from .approval import approval_id
from .attention import Over, held_id
from .control import PauseRun, ResumeRun, StartChild
from .correction import CorrectRun
from .errors import DecisionRefused, Failed, Held, Paused
from .guardrail import Guardrail
from .herald import Herald
from .holding import HeldRun
from .inspection import find_run
from .memory import Memory
from .message import CancelRun, Decide, ForkRun, GiveUpRun, SettleCall, StartRun, UnwindRun
from .orchestrator import Orchestrator
from .raising import RaiseLimits
from .service import Services
from .speech import AskBegun, SendText
from .stream import run_stream
from .tool_gateway import ToolGateway
from .version.message import NoteRefused
from .version.registrar import MAIN, Registrar

PARTS = (Orchestrator, Memory, Guardrail, ToolGateway)


class Desk:
    """The runtime, as its runs see it.

    Args:
        place: the file, or "memory".
        held: the runs that are not gone on with, by their ids, and why.
        services: what the runs reach for outside their turns.
    """

    def __init__(
        self, place: str, store: Store, system: System, held: Mapping[str, HeldRun], services: Services
    ) -> None:
        self.now = services.clock
        self.place = place
        self.prompts = {name: agent.prompt for name, agent in services.agents.items()}
        self.store = store
        self.services = services
        self._system = system
        self._held = dict(held)
        self._broken: dict[str, str] = {}
        self._suspects: set[str] = set()
        self._is_closed = False
        self.paused = ""
        self.draining = asyncio.Event()
        system.events.subscribe(self._noticed)

    def check_open(self) -> None:
        """Refuse to begin a run while the runtime is paused; raises Paused."""
        if self.paused:
            until = "it is opened again" if self.draining.is_set() else "`await runtime.resume(by=...)`"
            raise Paused(f"this runtime is {self.paused}: nothing starts before {until}")

    @property
    def held(self) -> frozenset[str]:
        """The runs that are not gone on with."""
        return frozenset(self._held)

    def drain(self, why: str) -> None:
        """Begin nothing new any more, for as long as this runtime is open."""
        self.paused = why
        self.draining.set()

    def orchestrator(
        self, run: str
    ) -> Ref[StartRun | ForkRun | CancelRun | PauseRun | ResumeRun | StartChild | SendText | AskBegun | CorrectRun]:
        """The run's orchestrator; raises Held."""
        self._check_held(run)
        return self._system.ref(Orchestrator, run)

    def guardrail(self, run: str) -> Ref[Decide | RaiseLimits]:
        """The run's guardrail; raises Held."""
        self._check_held(run)
        return self._system.ref(Guardrail, run)

    async def decide(self, run: str, decision: Decide) -> None:
        """Have the run's guardrail take a person's decision.

        Raises:
            DecisionRefused: with its reason.
            Held: when this runtime does not go on with the run.
        """
        refusal = await self.guardrail(run).ask(decision)
        if refusal:
            raise DecisionRefused(approval_id(run, decision.call), refusal)

    def gateway(self, run: str) -> Ref[SettleCall | UnwindRun]:
        """The run's tool gateway; raises Held."""
        self._check_held(run)
        return self._system.ref(ToolGateway, run)

    @contextmanager
    def news(self, run: str = "", kind: str = "") -> Iterator[asyncio.Event]:
        """An event that is set whenever something of that kind was entered in the run's logbook; for `wait`.

        Without a kind it is set for entries of any, without a run for those of all streams.
        """
        stream = run_stream(run) if run else ""
        event = self._system.kernel.reader(stream, kind)
        try:
            yield event
        finally:
            self._system.kernel.reader_done(event, stream, kind)

    async def wait(self, run: str, news: asyncio.Event) -> None:
        """Wait for news about a run that is not finished.

        Raises:
            Held: this runtime does not go on with it.
            Failed: its orchestrator cannot go on, and cannot say so itself.
            SystemStopped: the runtime has been closed.
        """
        self._check_held(run)
        why = await self._why_stuck(run)
        if why and not (await find_run(self.store, run, self.place)).status.is_final:
            raise Failed(run, why)
        if not self._is_closed:
            await news.wait()
        if self._is_closed:
            raise SystemStopped(f"the runtime on {self.place} was closed while run {run} goes on: open it again")

    async def look(self) -> None:
        """Take note of the orchestrators that had parked a message before the file was opened."""
        self._suspects.update(key_of(parked.envelope.receiver) for parked in await self.store.parked())

    def close(self) -> None:
        """Nothing will come any more: whoever waits is told."""
        self._is_closed = True
        self._system.kernel.wake_readers()

    def holds(self, run: str) -> bool:
        """Whether the run is not gone on with."""
        return run in self._held

    async def let_end(self, run: str) -> None:
        """Let a run that is not gone on with take the word that ends it, with those below it; nothing else is done."""
        self.services.condemned.add(run)
        self._held.pop(run, None)
        for below in [one.run for one in self._held.values() if one.above == run]:
            await self.let_end(below)
        await self._system.kernel.release(run)
        self._system.ref(Registrar, MAIN).tell(NoteRefused(gone=(run,)))
        if self.services.hook is not None:
            self._system.ref(Herald, MAIN).tell(Over(held_id(run)))

    def _check_held(self, run: str) -> None:
        if run in self._held:
            raise Held(run, self._held[run].reason)

    async def _why_stuck(self, run: str) -> str:
        """Why the run's orchestrator cannot go on, or nothing; a start that failed leaves no run behind."""
        if run in self._suspects:
            orchestrator = actor_id(Orchestrator.type_name, run)
            beginnings = (tag_of(StartRun), tag_of(ForkRun))
            for parked in await self.store.parked():
                if parked.envelope.receiver == orchestrator and parked.envelope.record.tag not in beginnings:
                    return f"{orchestrator}: {parked.reason}; its message is parked, see `choragus parked`"
        return self._broken.get(run, "")

    def _noticed(self, event: Event) -> None:
        """A part that cannot be loaded ends its run; an orchestrator that cannot go on is looked into."""
        above, _, run = event.actor.rpartition("/")
        part = above.rpartition("/")[2]
        if part not in {one.type_name for one in PARTS}:
            return
        if isinstance(event, Suspended):
            self._suspended(actor_id(part, run), run, f"it cannot be loaded: {event.error}")
        elif isinstance(event, Parked) and part == Orchestrator.type_name:
            self._suspects.add(run)
        self._system.kernel.wake_readers()

    def _suspended(self, part: ActorId, run: str, reason: str) -> None:
        if type_of(part) == Orchestrator.type_name:
            self._broken[run] = f"{part}: {reason}; its messages wait until the file is opened again"
            return
        try:
            self._system.ref(Orchestrator, run).tell(GiveUpRun(part=part, reason=reason))
        except (MailboxFull, SystemStopped) as error:
            self._broken[run] = f"{part}: {reason} ({error})"
