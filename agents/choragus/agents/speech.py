"""What is said to a run that goes on, or has ended: the text on its way, and what became of it. Data only."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .model import ChatMessage, Image
from .plan.step import Plan


@attrs.define(kw_only=True)
class Said:
    """A text that a run has taken and its model has not read yet.

    `id` names it within the run. It `is_ready` once the policies have let it pass; `waits` is what a person is asked
    about it. `key` is that of the thread by which a resend is known, or empty.
    """

    id: str
    text: str
    by: str
    images: tuple[Image, ...] = ()
    key: str = ""
    is_ready: bool = False
    waits: str = ""

    @property
    def line(self) -> ChatMessage:
        """As the model reads it."""
        return ChatMessage("user", self.text, images=self.images)


@attrs.frozen(kw_only=True)
class Place:
    """Where a run stands in a thread, which goes by `name`, as its start says it.

    `said` is the key of its goal there. A run that `follows` another begins with the lines of `context`, the first
    `carried` of which are that one's.
    """

    thread: str
    name: str = ""
    said: str = ""
    follows: str = ""
    context: tuple[ChatMessage, ...] = ()
    carried: int = 0


@attrs.define(kw_only=True)
class Talk:
    """What a run keeps of the conversation that it is part of; a run that nothing is said to has none.

    `unread` are the texts that were sent to it and that its model has not read yet, `texts` how many there were;
    `answer` is what it has answered while one of them is judged. The others are those of its Place; it is `followed_by`
    a run.
    """

    unread: list[Said] = attrs.field(factory=list)
    texts: int = 0
    answer: str | None = None
    thread: str = ""
    name: str = ""
    follows: str = ""
    followed_by: str = ""
    carried: int = 0

    def row(self) -> dict[str, object]:
        """The part of it that lists of runs have; nothing when it is part of no thread."""
        if not self.thread:
            return {}
        return {
            "thread": self.thread,
            "name": self.name,
            "follows": self.follows,
            "followed_by": self.followed_by,
            "carried": self.carried,
        }


@stored("choragus.heard")
@attrs.frozen(kw_only=True)
class Heard:
    """What became of a text: it `is_taken` by `run`; or it was not, and `run` is where the conversation goes on.

    `text` is its name within that run while policies judge it. With a `reason` it was refused.
    """

    run: str
    is_taken: bool = False
    text: str = ""
    reason: str = ""


@stored("choragus.send_text")
@attrs.frozen(kw_only=True)
class SendText(Request[Heard]):
    """To an orchestrator: take this into the conversation. The same `key` in the same thread is taken once.

    A `plan` is for the run that begins with it; one that goes on takes no text with a plan.
    """

    text: str
    by: str
    images: tuple[Image, ...] = ()
    key: str = ""
    plan: Plan | None = None


@stored("choragus.ask_begun")
@attrs.frozen
class AskBegun(Request[bool]):
    """To an orchestrator: has the run begun?"""
