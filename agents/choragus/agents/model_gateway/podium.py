"""Where answers are heard while they are being written: one text for each run, and whoever listens to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define, field

from .veil import Pieces


@define(eq=False)
class Writing:
    """An answer that is being written, as far as it may be shown. Readers keep their own place in `parts`."""

    step: int
    attempt: int
    parts: list[str] = field(factory=list)


@define
class Podium:
    """What the models of a runtime are saying. A text stays until its step is committed; nobody is waited for."""

    _writings: dict[str, Writing] = field(factory=dict, init=False)
    _listeners: dict[str, set[asyncio.Event]] = field(factory=dict, init=False)

    def open(self, run: str, step: int, attempt: int, pieces: Pieces) -> Pen:
        """An answer begins; another one of the run that was still there is gone."""
        self._writings[run] = writing = Writing(step, attempt)
        return Pen(self, run, writing, pieces)

    def writing(self, run: str) -> Writing | None:
        """What the run's model is saying."""
        return self._writings.get(run)

    def forget(self, run: str) -> None:
        """What was said is committed, or counts for nothing."""
        self._writings.pop(run, None)

    @contextmanager
    def listening(self, run: str) -> Iterator[asyncio.Event]:
        """An event that is set whenever the run's model has said something."""
        event = asyncio.Event()
        listeners = self._listeners.setdefault(run, set())
        listeners.add(event)
        try:
            yield event
        finally:
            listeners.discard(event)
            if not listeners and self._listeners.get(run) is listeners:
                del self._listeners[run]

    def wake(self, run: str) -> None:
        """There is something new to hear."""
        for event in self._listeners.get(run, ()):
            event.set()


@define
class Pen:
    """What a model writes with."""

    _podium: Podium
    _run: str
    _writing: Writing
    _pieces: Pieces

    def write(self, piece: str) -> None:
        """The next piece of the answer; what may be shown of it is."""
        self._add(self._pieces.feed(piece))

    def close(self) -> None:
        """The answer is whole: what was held back may be shown."""
        self._add(self._pieces.close())

    def _add(self, shown: str) -> None:
        if shown:
            self._writing.parts.append(shown)
            self._podium.wake(self._run)
