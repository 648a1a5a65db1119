"""An actor's failure as it is kept: text and places in the source, and nothing of what was in memory."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from traceback import FrameSummary, StackSummary, TracebackException
from types import CodeType
from typing import TypeAlias

import attrs

from choragus.actors.reason import LONGEST, reason
from choragus.actors.status import Failure
from choragus.mailbox.errors import ChoragusError

FRAMES = 50
"""Frames that are kept of an error, those nearest to where it was raised."""

LINKS = 20
"""Errors that are kept of a chain of causes, or of a group."""

_OURS = tuple(
    os.path.dirname(path) + os.sep
    for path in (asyncio.__file__, inspect.getfile(ChoragusError), inspect.getfile(Failure), __file__)
)


@attrs.frozen(kw_only=True)
class FailureReport:
    """One failure of an actor. `str()` draws it as text, with the traceback.

    Attributes:
        path: who failed.
        at: when, seconds since the epoch.
        message: the type of the message in hand; `on_start` or `on_stop` when it was that, empty on none.
        error: the error's class and text, 2,000 characters at most.
    """

    path: str
    at: float
    message: str
    error: str
    _trace: TracebackException | Places | None = attrs.field(default=None, eq=False, repr=False)

    @property
    def traceback(self) -> str:
        """The traceback from your first frame to your last, without the frames of choragus and asyncio around them.

        The errors that led to it are shown likewise. An error without a frame of yours keeps all that it has. The
        lines are read from the source when this is called. Empty for a supervisor that gave up.
        """
        return "" if self._trace is None else "".join(self._trace.format()).rstrip()

    def __str__(self) -> str:
        on = f" on {self.message}" if self.message else ""
        at = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        return f"{at} {self.path or 'the root'} failed{on}\n{self.traceback or self.error}"


class Places:
    """Where an error without causes came from: code objects and positions, made into text when somebody reads it.

    Five times as fast as a TracebackException, which looks after every source file; and an actor that fails is to be
    back at once.
    """

    __slots__ = ("_frames", "_says")

    def __init__(self, error: BaseException, text: str) -> None:
        frames: list[tuple[CodeType, int]] = []
        trace = error.__traceback__
        while trace is not None:
            frames.append((trace.tb_frame.f_code, trace.tb_lasti))  # its line is searched for, so not now
            trace = trace.tb_next
        self._frames = frames[-FRAMES:]
        kind = type(error)
        module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
        self._says = f"{module}{kind.__qualname__}" + (f": {text}" if text else "")

    def format(self) -> Iterator[str]:
        """The lines, as TracebackException gives them."""
        frames = [_summary(*frame) for frame in self._frames]
        yield "Traceback (most recent call last):\n"
        yield from StackSummary.from_list(frames[_first(frames) : _last(frames)]).format()
        yield f"{self._says}\n"


def _summary(code: CodeType, instruction: int) -> FrameSummary:
    line, end_line, column, end_column = next(islice(code.co_positions(), instruction // 2, None))
    return FrameSummary(
        code.co_filename,
        code.co_firstlineno if line is None else line,
        code.co_name,
        lookup_line=False,
        end_lineno=end_line,
        colno=column,
        end_colno=end_column,
    )


Gist: TypeAlias = "tuple[str, float, str, str, TracebackException | Places | None]"
"""What a report is made of, when somebody reads it: path, time, message, error, trace."""

GROUPED = (BaseExceptionGroup, SyntaxError)
"""Errors that have more to tell than their text."""


def gist(path: str, at: float, error: BaseException, message: str) -> Gist:
    """Keep what can be read about an error, and let go of the error."""
    says, name = reason(error), type(error).__name__
    text = f"{name}: {says}"[:LONGEST]
    if _is_plain(error):
        return path, at, message, text, Places(error, "" if says == name else says)
    trace = TracebackException(type(error), error, error.__traceback__, limit=-FRAMES, lookup_lines=False, compact=True)
    _shorten(trace)
    return path, at, message, text, trace


def report(gist: Gist) -> FailureReport:
    """What was kept, as it is read."""
    path, at, message, error, trace = gist
    return FailureReport(path=path, at=at, message=message, error=error, trace=trace)


def _is_plain(error: BaseException) -> bool:
    """Whether there is nothing but the error itself to tell of."""
    alone = error.__cause__ is None and error.__context__ is None and not hasattr(error, "__notes__")
    return alone and not isinstance(error, GROUPED)


def _shorten(trace: TracebackException) -> None:
    """Leave out frames of ours, long texts, and what is too far away, in the whole chain."""
    left = [trace]
    kept = 0
    while left:
        one = left.pop(0)
        kept += 1
        one.stack[:] = one.stack[_first(one.stack) : _last(one.stack)]
        one._str = one._str[:LONGEST]  # type: ignore[attr-defined]  # the text is in no public place
        if one.__notes__:
            one.__notes__ = [note[:LONGEST] for note in one.__notes__[:LINKS] if isinstance(note, str)]
        if kept + len(left) >= LINKS:
            one.__cause__ = one.__context__ = None
        if one.exceptions is not None:
            one.exceptions = one.exceptions[: max(0, LINKS - kept - len(left))]
        left += [link for link in (one.__cause__, one.__context__, *(one.exceptions or ())) if link is not None]


def _first(stack: Sequence[FrameSummary]) -> int:
    """Where the user's frames begin; 0 when there are none."""
    return next((number for number, frame in enumerate(stack) if not frame.filename.startswith(_OURS)), 0)


def _last(stack: Sequence[FrameSummary]) -> int:
    """Behind the last of the user's frames; behind all when there are none."""
    count = len(stack)
    return next((number for number in range(count, 0, -1) if not stack[number - 1].filename.startswith(_OURS)), count)
