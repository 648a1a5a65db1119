"""How the host says something to a run: to the last of its thread, until one has taken it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from choragus.mailbox.store import Store

from .desk import Desk
from .errors import AgentFault, TextRefused
from .following import said_key, thread_stream
from .inspection import RunSummary, find_run, timeline
from .model import Image
from .speech import AskBegun, Heard, SendText
from .stream import run_stream

LARGEST_TEXT = 1_000_000
"""Characters of a text that is sent."""

LARGEST_IMAGES = 20_000_000
"""Bytes of the pictures beside one text, together."""


def said(text: object, images: Iterable[Image], by: object, key: object) -> SendText:
    """The message that says this.

    Raises:
        AgentFault: when it cannot be said.
    """
    for name, value in (("by", by), ("key", key)):
        if not isinstance(value, str):
            raise AgentFault(f"{name}={value!r} must be text")
    return SendText(text=str(text), images=check_text(text, images), by=str(by), key=str(key))


def check_text(text: object, images: Iterable[Image]) -> tuple[Image, ...]:
    """Refuse what no run can be told.

    Raises:
        AgentFault: with what is wrong.
    """
    if not isinstance(text, str):
        raise AgentFault(f"the text is {text!r}: give a str")
    if len(text) > LARGEST_TEXT:
        raise AgentFault(f"the text has {len(text):,} characters, and {LARGEST_TEXT:,} are the most: send less of it")
    listed = tuple(images)
    for one in listed:
        if not isinstance(one, Image):
            raise AgentFault(f"{one!r} among the images is none: give Image(media_type='image/png', data=...)")
    size = sum(len(one.data) for one in listed)
    if size > LARGEST_IMAGES:
        raise AgentFault(f"the images have {size:,} bytes, and {LARGEST_IMAGES:,} are the most: send smaller ones")
    return listed


async def last_run(store: Store, thread: str) -> str:
    """The id of the last run of a thread; nothing when there is none."""
    stream = thread_stream(thread)
    last = (await store.extent(stream)).last
    lines = await store.read(stream, last - 1, 1) if last else []
    return str(msgspec.json.decode(lines[0].body)["run"]) if lines else ""


async def say(desk: Desk, run: str, message: SendText) -> str:
    """Have the text taken by the run, or by whichever goes on with its conversation; the id of the one that has.

    Raises:
        TextRefused: when it is not taken.
        UnknownRun, Held, Paused, NotEvaluated: see `Run.send`.
    """
    summary = await find_run(desk.store, run, desk.place)
    id = (summary.thread and await last_run(desk.store, summary.thread)) or run
    while True:
        summary = await find_run(desk.store, id, desk.place)
        if summary.status.is_final:
            desk.check_open()
            if await _begins(desk, summary, message.key):
                await desk.services.check_evaluated_by_now(summary.agent)
        before = (await desk.store.extent(run_stream(id))).last
        heard = await desk.orchestrator(id).ask(message)
        if heard.reason:
            raise TextRefused(id, heard.reason)
        # It is the next one's now; what was sent to that one before is handled before this.
        if heard.run != id and not await desk.orchestrator(heard.run).ask(AskBegun()):
            raise TextRefused(heard.run, "it could not begin, and what it begins with is parked: see `choragus parked`")
        if heard.is_taken:
            await _judged(desk, heard, before)
            return heard.run
        id = heard.run


async def _begins(desk: Desk, ended: RunSummary, key: str) -> bool:
    """Whether a text of that key begins the run behind an ended one, and its agent is here."""
    if ended.followed_by or ended.agent not in desk.services.agents:
        return False
    return not key or await desk.store.view("said", said_key(ended.thread or ended.run, key)) is None


async def _judged(desk: Desk, heard: Heard, after: int) -> None:
    """Wait until the policies have looked at the text.

    Raises:
        TextRefused: when they refuse it.
    """
    if not heard.text:
        return
    with desk.news(heard.run) as news:
        while True:
            news.clear()
            async for line in timeline(desk.store, heard.run, after):
                after = line.position
                if line.kind == "text.refused" and line.data["text"] == heard.text:
                    raise TextRefused(heard.run, str(line.data["reason"]))
                about = line.data.get("subject") == heard.text
                if line.kind == "text.judged" and about and line.data["verdict"] != "deny":
                    return
            await desk.wait(heard.run, news)
