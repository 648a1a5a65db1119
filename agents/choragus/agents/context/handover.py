"""What a run that goes on with another's conversation begins with: what that one's model saw last."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from choragus.agents.flow.label import RUNTIME, USER
from choragus.agents.fork import whole_conversation
from choragus.agents.model import ChatMessage
from choragus.agents.stream import run_stream
from choragus.mailbox.store import Store

from .assembly import assemble
from .label import shown_besides, sources
from .reading import Contexts

PAGE = 500

HANDED_OVER = ("pinned", "summary", "recent")
"""The sections that go over: what was retrieved is looked up anew, and blocks are the run's own."""

LEFT_OUT = "[Of the conversation before, lines are left out here.]"


async def working_context(store: Store, run: str) -> tuple[ChatMessage, ...]:
    """The lines that the run's model saw last, as it saw them, and what was said since; calls with their results.

    Each line has its labels, a summary those of all that it was made of. What else the model had read has its labels in
    a line that says that it was left out. Of a run without a Context it is the whole conversation.
    """
    conversation = await whole_conversation(store, run)
    upto, version = await _last(store, run)
    if not version:
        return tuple(conversation)

    async def lines(run: str, upto: int) -> Sequence[ChatMessage]:
        return conversation

    contexts = Contexts(store, lines)
    assembled = assemble(await contexts.at(run, upto, version))
    seen = [one.message for one in assembled.pieces if one.section in HANDED_OVER and one.message is not None]
    read = sources(conversation[:upto]) | shown_besides(await contexts.news(run), len(conversation))
    gone = read - sources(seen) - {USER, RUNTIME}
    left_out = [ChatMessage("user", LEFT_OUT, labels=tuple(sorted({*gone, RUNTIME})))] if gone else []
    return (*left_out, *seen, *conversation[upto:])


async def _last(store: Store, run: str) -> tuple[int, int]:
    """How long the conversation was for the latest step, and how many decisions there were."""
    after, found = 0, (0, 0)
    while page := await store.read(run_stream(run), after, PAGE):
        after = page[-1].position
        for entry in page:
            if entry.kind == "memory.assembled":
                data: dict[str, int] = msgspec.json.decode(entry.body)
                found = data["messages"], data.get("context", 0)
    return found
