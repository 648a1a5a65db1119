"""What a run keeps beside its logbook, and how far it is unwound. Reads only."""

from __future__ import annotations

import attrs
import msgspec

from choragus.mailbox.codec import Record, decode_as
from choragus.mailbox.store import Store

from .model import ChatMessage
from .stream import SHOWN, conversation_stream, results_stream, run_stream

PAGE = 500


@attrs.frozen(kw_only=True)
class Unwound:
    """How far a run is unwound: `done` was taken back, in that order, `left` was not, the next one last.

    They are named by the calls that take back, such as `1.2/undo` for call 1.2. `stopped` says why it does not go on by
    itself; `over` that it has come to its end.
    """

    by: str
    done: tuple[str, ...]
    left: tuple[str, ...]
    stopped: str
    over: bool


async def unwound(store: Store, run: str) -> Unwound:
    """How far the run is unwound.

    Raises:
        LookupError: when nobody has asked for it.
    """
    view = await store.view("unwinding", run)
    if view is None:
        raise LookupError(f"run {run} was never unwound")
    return msgspec.json.decode(view.body or b"{}", type=Unwound)


async def result_of(store: Store, run: str, call: str) -> str:
    """All of a call's result, as the model was given it, or would have been if it were shorter.

    Raises:
        LookupError: when the run has none.
    """
    found = await _field(store, results_stream(run), "call.result", call)
    if found is None:
        found = await _field(store, run_stream(run), "call.finished", call)
        if found is not None and len(found) >= SHOWN:
            found = await _said(store, run, call)
    if found is None:
        raise LookupError(f"run {run} has no result of call {call!r}: see `choragus show`")
    return found


async def _field(store: Store, stream: str, kind: str, call: str) -> str | None:
    after, found = 0, None
    while page := await store.read(stream, after, PAGE):
        for entry in page:
            after = entry.position
            if entry.kind == kind:
                body = msgspec.json.decode(entry.body, type=dict[str, object])
                found = str(body["text"]) if body["call"] == call else found
    return found


async def _said(store: Store, run: str, call: str) -> str | None:
    """What stands in the conversation, in which each step with calls is one answer of the model and their results."""
    step, _, number = call.partition(".")
    lines: list[ChatMessage] = []
    while page := await store.read(conversation_stream(run), len(lines), PAGE):
        lines += [decode_as(ChatMessage, Record("json", 1, entry.body)) for entry in page]
    answers = [index for index, line in enumerate(lines) if line.role == "assistant"]
    try:
        return lines[answers[int(step) - 1] + int(number)].text
    except (IndexError, ValueError):
        return None
