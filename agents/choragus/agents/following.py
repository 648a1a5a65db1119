"""The run behind a run: how it is called, what it begins with, and where a thread's runs are written down."""

from __future__ import annotations

import hashlib

import attrs
import msgspec

from .context.handover import working_context
from .model import ChatMessage
from .service import Services
from .state import OpenCall, RunState


@attrs.frozen
class Left:
    """What a run leaves to the one that follows: `lines`, the first `carried` of which are of its conversation."""

    lines: tuple[ChatMessage, ...]
    carried: int


def thread_id(agent: str, name: str, after: int = 0) -> str:
    """The id of an agent's thread of that name, and of its first run; `after` so many runs that are pruned."""
    return _hash("thread", agent, name, *([str(after)] if after else []))[:12]


def next_run(run: str) -> str:
    """The id of the run that follows."""
    return _hash("next", run)[:12]


def said_key(thread: str, key: str) -> str:
    """Where the text of a key is noted."""
    return f"{thread}/{_hash('said', key)}"


def thread_stream(thread: str) -> str:
    """The runs of a thread, in their order."""
    return f"thread/{thread}"


async def carried(services: Services, run: str, state: RunState) -> Left:
    """What an ended run leaves: its working context, and the calls that its end came between.

    These stand in no conversation yet, and a model that did not know of them might make them again.
    """
    context = await working_context(services.store, run)
    if not state.calls:
        return Left(context, len(context))
    asked = ChatMessage("assistant", state.text, tuple(call.asked for call in state.calls))
    results = (_result(services, state, call) for call in state.calls)
    return Left((*context, asked, *results), len(context))


def _result(services: Services, state: RunState, call: OpenCall) -> ChatMessage:
    interrupted = (
        f"interrupted: the run ended ({state.status.value}) while {call.asked.name} had no result; "
        "whether it did anything is not known here: find out before you call it again"
    )
    return ChatMessage(
        "tool",
        call.text if call.done else interrupted,
        call_id=call.asked.id,
        name=call.asked.name,
        is_error=call.is_error or not call.done,
        labels=services.labels(state.agent, call.asked.name, call.whose, call.text),
    )


def _hash(*words: str) -> str:
    return hashlib.sha256(msgspec.json.encode(words)).hexdigest()
