"""Recordings as a user has them: a context in which agents are recorded or replayed."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, TypeVar

from attrs import evolve

from choragus.agents.agent import Agent
from choragus.agents.errors import ModelError, Outcome

from .drift import RECORD
from .file import read, write
from .part import recorded_context, recorded_model, recorded_tool
from .scrubbing import Scrubber
from .tape import Tape

T = TypeVar("T")

Mode = Literal["replay", "record", "auto"]

MODES = ("replay", "record", "auto")


class Recording:
    """What the models and tools of some agents were asked and said, in a file.

    While it is made, real models and tools are called and the file is written at the end. While it is replayed none of
    them is called, and what is asked must be what was asked then: the instructions, the messages, the tools and the
    type of the answer for a model, the number of the call, the tool and the arguments for a tool. A difference ends the
    run as failed; at the end `ReplayDrift` tells it, and so it does what was never asked for.

    What a Context looks up is no part of it: retrievers are asked again, and what they find has to be the same.

    Args:
        path: the file, as JSON.
        mode: "replay"; "record", which makes it anew; or "auto", which replays it if it is there. None, the default,
            is "replay". `CHORAGUS_RECORD=1` in the environment turns None and "auto" into "record".
        replace: texts that differ from run to run, as the path of a temporary folder, and what stands for each in the
            file and in what is compared. The current folder and the home folder are replaced by themselves, and
            secrets are redacted.

    Raises:
        ValueError: another mode, or a file that is no recording.
        FileNotFoundError: at the begin of its context, when it is to be replayed and is not there.
    """

    def __init__(self, path: str | Path, *, mode: Mode | None = None, replace: Mapping[str, str] | None = None) -> None:
        if mode is not None and mode not in MODES:
            raise ValueError(f"mode={mode!r} of recording {str(path)!r} is none of {', '.join(MODES)}")
        self.path = Path(path)
        self._mode = _mode(self.path, mode)
        self._scrubber = Scrubber(replace or {})
        self._tape: Tape | None = None

    def __enter__(self) -> Self:
        exchanges = None if self._mode == "record" else read(self.path)
        self._tape = Tape(exchanges, str(self.path), self._scrubber)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        tape = self._open()
        self._tape = None
        if tape.records:
            if error is None or isinstance(error, Exception):  # what was paid for is kept, also when the test fails
                write(self.path, tape.made())
        elif error is None:
            tape.assert_complete()
        elif tape.drift is not None and isinstance(error, Outcome | ModelError):
            raise tape.drift from error
        elif tape.drift is not None and error is not tape.drift:
            error.add_note(str(tape.drift))

    @property
    def is_replayed(self) -> bool:
        """Whether nothing real is called."""
        return self._mode != "record"

    def agent(self, agent: Agent[T]) -> Agent[T]:
        """The agent with its models and tools on this recording, and with the same identity (manifest)."""
        tape = self._open()
        return evolve(
            agent,
            model=recorded_model(agent.model, tape),
            fallbacks=[recorded_model(each, tape) for each in agent.fallbacks],
            cheaper=None if agent.cheaper is None else recorded_model(agent.cheaper, tape),
            tools=[recorded_tool(each, tape) for each in agent.tools],
            context=recorded_context(agent.context, tape),
        )

    def assert_complete(self) -> None:
        """Check that all was asked for that was recorded; the end of the context does so too.

        Raises:
            ReplayDrift: what was not.
        """
        tape = self._open()
        if not tape.records:
            tape.assert_complete()

    def _open(self) -> Tape:
        if self._tape is None:
            raise RuntimeError(f"recording {str(self.path)!r} is not open: write `with Recording(...) as recording:`")
        return self._tape


@contextmanager
def recorded(
    agent: Agent[T], path: str | Path, *, mode: Mode | None = None, replace: Mapping[str, str] | None = None
) -> Iterator[Agent[T]]:
    """The agent with its models and tools recorded in a file, or replayed from it; see `Recording`.

        with recorded(clerk, "recordings/refund.json") as agent:
            async with Runtime(agents=[agent]) as runtime: ...

    Raises:
        ReplayDrift: at the end, when the run was not the one that was recorded.
    """
    with Recording(path, mode=mode, replace=replace) as recording:
        yield recording.agent(agent)


def _mode(path: Path, mode: Mode | None) -> Literal["replay", "record"]:
    if mode in ("replay", "record"):
        return mode
    if os.environ.get(RECORD, "0") not in ("", "0"):
        return "record"
    return "replay" if mode is None or path.exists() else "record"
