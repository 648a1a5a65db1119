"""Where a memory stands in assembling the context of a step. Data only."""

from __future__ import annotations

from enum import Enum

import attrs

from choragus.agents.message import Scope
from choragus.agents.spending import NOTHING, Spent
from choragus.mailbox.codec import stored

from .decision import Ranges


class Doing(Enum):
    """What is waited for."""

    NOTHING = ""
    RETRIEVE = "retrieve"
    """A retriever looks."""
    RESERVE = "reserve"
    """The guardrail says whether there is budget for a summary."""
    SUMMARISE = "summarise"
    """A model writes one."""
    BACKOFF = "backoff"
    """It failed, and is asked again in a moment."""


@attrs.define(kw_only=True)
class Work:
    """The context of one step in the making.

    `first` is the strategy that is next, `retrieved` how many retrievers have been asked. `held`: the run is paused,
    and the summary in question has not begun. `spent` is what summaries have cost for this step.
    """

    step: int
    scope: Scope
    doing: Doing = Doing.NOTHING
    first: int = 0
    retrieved: int = 0
    token: str = ""
    ranges: Ranges = ()
    tries: int = 0
    asked: int = 0
    effect: str = ""
    held: bool = False
    spent: Spent = NOTHING


@stored("choragus.memory_state")
@attrs.define
class MemoryState:
    """How long the conversation is, and how many decisions there are about its context; both are streams of their own.

    `work` is the context that is being assembled. `estimate` is how long the latest request was taken to be by its
    length, and `ratio` the most tokens that the model has counted for each one of these, never less than 1.
    """

    length: int = 0
    version: int = 0
    work: Work | None = None
    paused: bool = False
    over: bool = False
    estimate: int = 0
    ratio: float = 1.0
