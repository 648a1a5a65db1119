"""A labelled block: a text with a limit that always stands before the model, and that the agent may edit."""

from __future__ import annotations

import re

from attrs import frozen

from choragus.agents.errors import AgentFault

_LABEL = re.compile(r"[A-Za-z0-9_-]{1,64}")


@frozen
class Block:
    """A text that the model always sees, such as notes that it keeps itself.

    >>> Block("notes", "none yet", limit=500).editable
    True

    Args:
        label: its name: letters, digits, `_` and `-`, at most 64.
        text: what it holds when a run begins.
        limit: characters that it may hold. An edit that would make it longer is refused, and the model is told.
        description: what it is for, as the model reads it.
        editable: whether the model may change it, by the tools `edit_block` and `append_to_block`.
        shared: whether all runs of the agent have it together. By default each run has its own, from `text` on.

    Raises:
        AgentFault: the label is badly formed, or the text is longer than the limit.
    """

    label: str
    text: str = ""
    limit: int = 2_000
    description: str = ""
    editable: bool = True
    shared: bool = False

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.label, str) or not _LABEL.fullmatch(self.label):
            raise AgentFault(f"{self.label!r} is no label of a block: give 1 to 64 letters, digits, '_' or '-'")
        if type(self.limit) is not int or self.limit < 1:
            raise AgentFault(f"limit={self.limit!r} of block {self.label!r} is none: give a whole number above 0")
        if not isinstance(self.text, str) or not isinstance(self.description, str):
            raise AgentFault(f"the text and the description of block {self.label!r} must be text")
        if len(self.text) > self.limit:
            raise AgentFault(
                f"the text of block {self.label!r} has {len(self.text):,} characters and may have {self.limit:,}: "
                "shorten it, or raise limit="
            )


def shown(block: Block, text: str) -> str:
    """The block as it stands in the instructions, with a text that the agent may have given it."""
    used = f'{len(text)} of {block.limit} characters"'
    tools = "" if block.editable else ' read_only="true"'
    about = f"{block.description}\n" if block.description else ""
    return f'<block label="{block.label}" used="{used}{tools}>\n{about}---\n{_closed(text)}\n</block>'


def edited(text: str, old: str, new: str) -> str:
    """The text with `new` in the place of `old`, which must stand in it exactly once.

    Raises:
        ValueError: it does not.
    """
    times = text.count(old) if old else 0
    if times != 1:
        found = "is empty" if not old else "does not stand in it" if not times else f"stands in it {times} times"
        raise ValueError(f"`old` {found}: give a piece of the block's text that stands in it exactly once")
    return text.replace(old, new)


def changed(label: str, limit: int, before: str, old: str | None, new: str) -> str:
    """The new text of a block: with `old` that piece of it is replaced, without it `new` is a further line.

    Raises:
        ValueError: why not, for the model to read.
    """
    try:
        text = appended(before, new) if old is None else edited(before, old, new)
    except ValueError as error:
        raise ValueError(f"block {label!r} is as it was: {error}") from None
    if len(text) > limit:
        raise ValueError(
            f"block {label!r} is as it was: it may have {limit:,} characters, has {len(before):,} and would have "
            f"{len(text):,}: write less, or take something out first"
        )
    return text


def appended(text: str, more: str) -> str:
    """The text with a further line."""
    return f"{text}\n{more}" if text else more


def _closed(text: str) -> str:
    """Nothing in the text may look like the block's end."""
    return text.replace("</block", "<\\/block")
