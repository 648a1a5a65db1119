"""News of a file for all who look at it: one thread asks whether anything was committed, however many wait for it.

What goes out says only where something was entered. A page then loads itself again, so that there is one way by which
things come onto it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from threading import Event, Thread

import attrs

from choragus.agents.asgi import Problem
from choragus.mailbox.errors import ChoragusError
from choragus.mailbox.reader import Reader

EVERY = 0.25
"""Seconds between two looks."""

KEEP_ALIVE = 15.0
"""Seconds after which a line is sent to whoever hears nothing."""

MOST = 32
"""Clients at a time."""

KEPT = 2_000
"""Places that are kept for whoever is slow; who is behind them is told to load everything again."""

_PLACES = """
SELECT entry.seq, head.stream FROM entry JOIN head ON head.number = entry.stream
WHERE entry.seq > ? ORDER BY entry.seq LIMIT ?
"""


@attrs.define(eq=False)
class _Listener:
    """One client: woken in its own loop."""

    loop: asyncio.AbstractEventLoop
    news: asyncio.Event = attrs.field(factory=asyncio.Event)

    def wake(self) -> None:
        """From another thread."""
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.news.set)


class Bell:
    """Rings when something is entered in the logbook of a file.

    The thread begins with the first listener and ends with the last.
    """

    def __init__(self, path: str, *, every: float = EVERY, keep_alive: float = KEEP_ALIVE, most: int = MOST) -> None:
        self.path = path
        self.threads = 0
        self._every = every
        self._keep_alive = keep_alive
        self._most = most
        self._listeners: set[_Listener] = set()
        self._places: deque[tuple[int, str]] = deque(maxlen=KEPT)
        self._stop = Event()

    @property
    def listeners(self) -> int:
        """How many listen."""
        return len(self._listeners)

    def check_room(self) -> None:
        """Refuse one listener too many; raises Problem."""
        if len(self._listeners) >= self._most:
            told = f"{self._most} clients listen already, which is the limit: close a page"
            raise Problem(503, "full", told, **{"retry-after": "10"})

    async def stream(self, last: int, after: int | None) -> AsyncGenerator[str, None]:
        """Server-sent events, for ever.

        Args:
            last: the `seq` up to which the file was read when this began.
            after: the `seq` behind which to go on; None: from now on.
        """
        if len(self._listeners) >= self._most:  # many have come at once, and each found room
            yield "retry: 10000\n: full\n\n"
            return
        listener = _Listener(asyncio.get_running_loop())
        self._join(listener, last)
        try:
            seq = last if after is None else after
            yield f"retry: 1000\nid: {seq}\n: choragus\n\n"
            if seq < last:
                yield message(last, None)
                seq = last
            while True:
                listener.news.clear()
                if (latest := self._latest(seq)) > seq:
                    yield message(latest, self._since(seq))
                    seq = latest
                    continue
                try:
                    async with asyncio.timeout(self._keep_alive):
                        await listener.news.wait()
                except TimeoutError:
                    yield ": still here\n\n"
        finally:
            self._leave(listener)

    def _join(self, listener: _Listener, last: int) -> None:
        self._listeners.add(listener)
        if len(self._listeners) == 1:
            self._stop, self._places = Event(), deque(maxlen=KEPT)
            self.threads += 1
            Thread(target=self._watch, args=(self._stop, self._places, last), name="choragus-page", daemon=True).start()

    def _leave(self, listener: _Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self._stop.set()

    def _latest(self, seq: int) -> int:
        return self._places[-1][0] if self._places else seq

    def _since(self, seq: int) -> list[str] | None:
        """The streams that were written to behind a `seq`; None when they are not all known any more."""
        places = list(self._places)
        if len(places) == KEPT and places[0][0] > seq + 1:
            return None
        return sorted({stream for number, stream in places if number > seq})

    def _watch(self, stop: Event, places: deque[tuple[int, str]], seq: int) -> None:
        """In the thread: look until nobody listens."""
        while not stop.is_set():
            try:
                with Reader(self.path) as reader:
                    seq = self._news(reader, places, seq, stop)
                    while not stop.wait(self._every):
                        if reader.changed():
                            seq = self._news(reader, places, seq, stop)
            except ChoragusError:  # busy, or being replaced: it is opened again
                stop.wait(self._every * 4)

    def _news(self, reader: Reader, places: deque[tuple[int, str]], seq: int, stop: Event) -> int:
        while rows := reader.rows(_PLACES, seq, KEPT):
            places.extend((int(str(number)), str(stream)) for number, stream in rows)
            seq = places[-1][0]
            if stop.is_set():
                break
            for one in tuple(self._listeners):
                one.wake()
        return seq


def message(seq: int, streams: Iterable[str] | None) -> str:
    """One event: the runs that something was entered of; `all` when anything may have been."""
    told: dict[str, object] = {"seq": seq, "all": streams is None}
    if streams is not None:
        told["runs"] = sorted({one.partition("/")[2] for one in streams if one.startswith("run/")})
    return f"id: {seq}\ndata: {json.dumps(told)}\n\n"


def last_seq(reader: Reader) -> int:
    """Up to where the logbook goes."""
    ((seq,),) = reader.rows("SELECT coalesce(max(seq), 0) FROM entry")
    return int(str(seq))
