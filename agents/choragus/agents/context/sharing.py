"""A block that all runs of an agent share: one actor for each, which outlives them."""

from __future__ import annotations

import hashlib

import attrs
import msgspec

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.agents.stream import run_stream
from choragus.mailbox.codec import stored
from choragus.mailbox.store import Store

from .block import changed
from .errand import BlockAnswer, ChangeBlock

VIEW = "block"
REMEMBERED = 100
"""Calls whose answers are kept, for those that come again."""


@stored("choragus.block_state")
@attrs.define
class SharedState:
    """What the block holds, None as long as nobody has changed it, and what the latest calls were told."""

    text: str | None = None
    number: int = 0
    labels: tuple[str, ...] = ()
    answers: dict[str, str] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class SharedText:
    """What a shared block holds: its text after so many edits, who made the last, and where all of it came from."""

    text: str
    number: int
    labels: tuple[str, ...]
    by: str


class SharedBlock(DurableActor[SharedState, ChangeBlock], name="choragus.block"):
    """One shared block; its key is `shared_key` of agent and label. Labels only grow: what was written stays known."""

    @handle
    def change(self, message: ChangeBlock) -> BlockAnswer:
        """Change it, or say why not; the same call again changes nothing."""
        state = self.state
        if message.by in state.answers:
            return BlockAnswer(state.answers[message.by])
        before = message.text if state.text is None else state.text
        try:
            text = changed(message.label, message.limit, before, message.old, message.new)
        except ValueError as error:
            return BlockAnswer(str(error), is_error=True)
        state.text, state.number = text, state.number + 1
        state.labels = tuple(sorted({*state.labels, *message.labels}))
        answer = f"block {message.label} has {len(text):,} of {message.limit:,} characters now"
        state.answers = dict([*state.answers.items(), (message.by, answer)][-REMEMBERED:])
        run, _, call = message.by.partition("/")
        shown = SharedText(text=text, number=state.number, labels=state.labels, by=message.by)
        self.view(VIEW, self.key, attrs.asdict(shown))
        told = {
            "actor": self.id,
            "label": message.label,
            "call": call,
            "number": state.number,
            "characters": len(text),
            "hash": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(),
            "labels": state.labels,
        }
        self.append(run_stream(run), "block.edited", told)
        return BlockAnswer(answer)


def shared_key(agent: str, label: str) -> str:
    """The key of a shared block."""
    return f"{agent}.{label}"


async def shared_text(store: Store, agent: str, label: str) -> SharedText | None:
    """What it holds, None when nobody has changed it yet."""
    view = await store.view(VIEW, shared_key(agent, label))
    return None if view is None else msgspec.json.decode(view.body or b"{}", type=SharedText)
