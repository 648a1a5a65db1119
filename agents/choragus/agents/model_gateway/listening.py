"""Reading a run as it goes on: its logbook, and between its lines what its model is saying."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import TypeAlias

import attrs
from attrs import define, field

from choragus.agents.desk import Desk
from choragus.agents.inspection import RunEvent, find_run, timeline

from .cursor import Place, TextChunk, TextRestarted
from .podium import Podium, Writing

RunOutput: TypeAlias = RunEvent | TextChunk | TextRestarted


@define
class Listener:
    """One reader of a run's answers. It asks for what is new; nobody waits for it, and nothing is kept for it.

    Args:
        shown: a whole answer as it may be shown; None when nothing of it may.
    """

    run: str
    podium: Podium
    shown: Callable[[str], str | None]
    place: Place
    _writing: Writing | None = field(default=None, init=False)
    _next: int = field(default=0, init=False)
    _held: str = field(default="", init=False)
    _is_known: bool = field(default=False, init=False)
    _done: int = field(default=0, init=False)
    """The step whose answer is whole."""

    async def past(self, logbook: AsyncIterator[RunEvent]) -> AsyncIterator[RunOutput]:
        """What the logbook has behind the place, each answer before its line; then what is being said."""
        writing = self.podium.writing(self.run)  # before the logbook is read: its call stands there
        async for event in logbook:
            if event.kind == "model.replied":
                for one in self._whole(event):
                    yield one
            self.place.position = event.position
            yield attrs.evolve(event, cursor=self.place.cursor) if self.place.read else event
        for one in self.heard(writing):
            yield one

    def heard(self, writing: Writing | None) -> Iterator[RunOutput]:
        """What has been said since the last time."""
        if writing is None or writing.step <= self._done:
            return
        if writing is not self._writing:
            self._writing, self._next, self._held, self._is_known = writing, 0, "", False
            if self.place.step != writing.step:
                self.place.begin(writing.step, writing.attempt)
        new = "".join(writing.parts[self._next :])
        self._next = len(writing.parts)
        if not self._is_known:
            self._held = new = self._held + new
            if len(new) < self.place.read:
                return  # not yet as much as was read of an earlier attempt
            self._held, self._is_known = "", True
            yield from self._joined(writing.step, writing.attempt, new)
        elif new:
            yield self.place.take(new)

    def _whole(self, event: RunEvent) -> Iterator[RunOutput]:
        """What of an answer that is committed was not heard."""
        step, attempt = int(str(event.data["step"])), int(str(event.data["attempt"]))
        text = self.shown(str(event.data["text"]))
        if self.place.step != step:
            self.place.begin(step, attempt)
        if text is not None:
            yield from self._joined(step, attempt, text)
        self.place.begin(0, 0)
        self._done = step

    def _joined(self, step: int, attempt: int, text: str) -> Iterator[RunOutput]:
        """A text that begins with what was read, or takes its place."""
        if not self.place.goes_on(text):
            yield self.place.restart(step, attempt)
        self.place.attempt = attempt
        if len(text) > self.place.read:
            yield self.place.take(text[self.place.read :])


async def listened(run: str, desk: Desk, after: int | str) -> AsyncIterator[RunOutput]:
    """The run behind a place, then all that is new; ends with the run.

    Raises:
        ValueError: when `after` is no place.
        Held, SystemStopped: as `Run.events`.
    """
    place, podium = Place.at(after), desk.services.models.podium
    agent = (await find_run(desk.store, run, desk.place)).agent
    listener = Listener(run, podium, partial(desk.services.shown, agent), place)
    with desk.news(run) as news, podium.listening(run) as said:
        while True:
            news.clear()
            said.clear()
            is_final = (await find_run(desk.store, run, desk.place)).status.is_final
            async for one in listener.past(timeline(desk.store, run, listener.place.position, desk)):
                yield one
                if isinstance(one, RunEvent) and one.kind == "run.ended":
                    return
            if is_final:
                return
            waiting: asyncio.Future[None] = asyncio.ensure_future(desk.wait(run, news))
            try:
                while await _is_first(said, waiting) and not news.is_set():  # the logbook comes before what is said
                    said.clear()
                    for one in listener.heard(podium.writing(run)):
                        yield one
                await waiting
            finally:
                waiting.cancel()


async def _is_first(said: asyncio.Event, waiting: asyncio.Future[None]) -> bool:
    """Wait for either; whether something was said, and nothing else has happened."""
    hearing: asyncio.Future[bool] = asyncio.ensure_future(said.wait())
    both: set[asyncio.Future[None] | asyncio.Future[bool]] = {waiting, hearing}
    try:
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hearing.cancel()
    return not waiting.done()
