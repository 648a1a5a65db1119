"""A question of the model to a person, as a tool that an agent may be granted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from msgspec import Meta

from .flow.declaration import Labels
from .tool import tool

MOST = 10_000
"""Characters that an answer may have."""

ASKED = "the model asks, and reads the answer"
"""Why a person is asked, where no policy says."""

Option = Annotated[str, Meta(min_length=1, max_length=200)]


@tool(risk="read", labels=Labels(trusted=["$"]))
def ask_person(
    question: Annotated[
        str, Meta(min_length=1, max_length=4_000, description="One question, with all it takes to answer it.")
    ],
    options: Annotated[
        list[Option], Meta(max_length=10, description="The answers to choose from; none for a free text.")
    ] = [],  # noqa: B006  # msgspec copies it
) -> str:
    """Ask a person, and wait for the answer. Use it when what you are to do depends on what only a person can say."""
    raise AssertionError("a question is put to a person, and never run")


def asked(arguments: Mapping[str, object]) -> tuple[str, tuple[str, ...]]:
    """The question and its options, from the arguments of a call."""
    given = arguments.get("options")
    return str(arguments["question"]), tuple(map(str, given)) if isinstance(given, list) else ()


def fault(answer: str | None, options: tuple[str, ...]) -> str:
    """Why this is no answer, or nothing."""
    if answer is None or not answer.strip():
        return "a question wants an answer, not an approval: give the answer's text"
    if len(answer) > MOST:
        return f"the answer has {len(answer)} characters and may have {MOST}: shorten it"
    if options and answer not in options:
        return f"{answer!r} is none of the options {', '.join(map(repr, options))}: choose one of them"
    return ""
