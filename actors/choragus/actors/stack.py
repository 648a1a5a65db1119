"""Where a thread is: its stack, from the user's own code on."""

from __future__ import annotations

import sys
from traceback import FrameSummary, StackSummary
from types import FrameType

MACHINERY = frozenset({"anyio", "asyncio", "choragus", "selectors", "uvloop"})
"""Packages whose frames lie between the program's start and a handler."""

Place = tuple[str, FrameSummary]
"""A frame's top package, and where it is."""


def stack_of(thread: int) -> str:
    """The stack of a running thread, the innermost call last, as a traceback shows it; empty when the thread is gone.

    It begins at the first frame that the event loop and this package called: the handler. When all of it is theirs, it
    is given whole. The thread goes on meanwhile, so the stack is that of a moment. No frame is kept.
    """
    return "".join(StackSummary.from_list(place for _, place in handler_on(_places(thread))).format())


def is_in_machinery(thread: int) -> bool:
    """Whether the thread is gone, or its innermost frame is the event loop's or ours: so it is while the loop waits."""
    frame = sys._current_frames().get(thread)
    return frame is None or _package(frame) in MACHINERY


def handler_on(places: list[Place]) -> list[Place]:
    """What is left without the frames that lead to the event loop, and those of the loop and of this package."""
    packages = [package in MACHINERY for package, _ in places]
    if True not in packages:
        return places
    loop = packages.index(True)
    return places[packages.index(False, loop) :] if False in packages[loop:] else places


def _places(thread: int) -> list[Place]:
    frame = sys._current_frames().get(thread)
    places: list[Place] = []
    while frame is not None:
        code = frame.f_code
        place = FrameSummary(code.co_filename, frame.f_lineno, code.co_qualname, lookup_line=False)
        places.append((_package(frame), place))
        frame = frame.f_back
    return places[::-1]


def _package(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", "")).partition(".")[0]
