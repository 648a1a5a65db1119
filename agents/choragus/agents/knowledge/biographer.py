"""The actor that keeps what the runs of one agent have left; its key is the agent's name."""

from __future__ import annotations

from typing import Protocol

import msgspec

from choragus.actors.dispatch import handle
from choragus.agents.stream import run_stream

from .episode import episode_of, episodes_in, facts_of
from .label import untrusted
from .librarian import Keeping
from .message import EPISODES, ForgetTexts, Forgotten, LibraryState, PutTexts, RunOver, SweepLibrary, Text

PAGE = 1_000


class Sources(Protocol):
    """What of the runtime counts here."""

    async def sources_of_run(self, run: str, agent: str, upto: int) -> tuple[str, ...]: ...


class _Call(msgspec.Struct):
    """What of a line about a call counts here."""

    tool: str = ""


class Biographer(Keeping[LibraryState, RunOver | PutTexts | ForgetTexts | SweepLibrary], name=EPISODES):
    """Learns of every end by a message of the turn in which the run ended, so of each end once."""

    @property
    def collection(self) -> str:
        """Where its documents are."""
        return episodes_in(self.key)

    @handle
    async def over(self, message: RunOver) -> None:
        """Keep the outcome of a run."""
        await self.committed()
        facts = facts_of(message, await self._tools(message.run))
        labels = untrusted(f"run {message.run}")
        if message.status == "completed":
            runtime: Sources = self.resources  # type: ignore[assignment]  # whatever has biographers has this
            labels = await runtime.sources_of_run(message.run, message.agent, message.upto) or labels
        text = episode_of(facts, labels).text
        self.put_parts(Text(id=message.run, chunks=(text,), run=message.run, labels=labels), facts=facts)
        self.log("episode.kept", run=message.run, status=message.status)
        self.plan_sweep(1)

    @handle
    def put(self, message: PutTexts) -> int:
        """Nobody writes episodes but the runs."""
        return 0

    @handle
    async def forget(self, message: ForgetTexts) -> Forgotten:
        """Delete what a run has left."""
        return await self.forget_parts(message.subject, message.id)

    @handle
    async def sweep(self, message: SweepLibrary) -> None:
        """See `Runtime(episodes=Library("episodes", keep_seconds=...))`."""
        await self.sweep_parts()

    async def _tools(self, run: str) -> tuple[str, ...]:
        """The tools that were run, in the order in which they came first."""
        used: dict[str, None] = {}
        after = 0
        while page := await self.around.store.read(run_stream(run), after, PAGE):
            for line in page:
                if line.kind == "call.intended":
                    used[msgspec.json.decode(line.body, type=_Call).tool] = None
            after = page[-1].position
        return tuple(used)
