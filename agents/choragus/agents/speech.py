"""What is said to a run that goes on, or has ended: the text on its way, and what became of it. Data only."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .model import ChatMessage, Image


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
    """To an orchestrator: take this into the conversation. The same `key` in the same thread is taken once."""

    text: str
    by: str
    images: tuple[Image, ...] = ()
    key: str = ""


@stored("choragus.ask_begun")
@attrs.frozen
class AskBegun(Request[bool]):
    """To an orchestrator: has the run begun?"""
