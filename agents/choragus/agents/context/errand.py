"""The messages and errands of a context: summaries, retrievals, and edits of blocks."""

from __future__ import annotations

import attrs

from choragus.actors.message import Request
from choragus.mailbox.codec import stored

from .decision import Ranges
from .retrieval import Retrieved


@stored("choragus.call_summary")
@attrs.frozen(kw_only=True)
class CallSummary:
    """Summarise these lines of a conversation, and the summary before them; their text is not repeated here.

    `strategy` is the place of the Summarise among the strategies of the agent's context.
    """

    run: str
    agent: str
    strategy: int
    upto: int
    version: int
    ranges: Ranges


@stored("choragus.call_retrieve")
@attrs.frozen(kw_only=True)
class CallRetrieve:
    """Ask the retriever of that place in the agent's context."""

    run: str
    agent: str
    index: int
    query: str


@stored("choragus.retrieve_done")
@attrs.frozen(kw_only=True)
class RetrieveDone:
    """What was found, or with `error` why nothing could be looked up."""

    items: tuple[Retrieved, ...] = ()
    error: str = ""


@stored("choragus.retry_summary")
@attrs.frozen
class RetrySummary:
    """To a memory, by itself: have the model that failed write the summary once more."""

    token: str


@stored("choragus.block_answer")
@attrs.frozen
class BlockAnswer:
    """What the model is told of an edit, or with `is_error` why there was none.

    With `change` the block is shared, and that is to be done by its own actor.
    """

    text: str
    is_error: bool = False
    change: ChangeBlock | None = None


@stored("choragus.change_block")
@attrs.frozen(kw_only=True)
class ChangeBlock(Request[BlockAnswer]):
    """Change a shared block, which has this text as long as nobody has changed it.

    `by` is who does: the run and its call, as `RUN/CALL`. `labels` are those of what its model had read by then.
    """

    agent: str
    label: str
    text: str
    limit: int
    old: str | None
    new: str
    by: str
    labels: tuple[str, ...]


@stored("choragus.edit_block")
@attrs.frozen(kw_only=True)
class EditBlock(Request[BlockAnswer]):
    """Change a block as a call asks for it. The same call again changes nothing.

    With `old` that piece of its text is replaced by `new`, without it `new` is a further line.
    """

    agent: str
    step: int
    call: str
    label: str
    new: str
    old: str | None = None
