"""The labels that a document is kept with, and those of a result that holds documents."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from choragus.agents.flow.label import DEVELOPER, RUNTIME, UNTRUSTED, USER, is_untrusted

SOURCES = (USER, DEVELOPER, RUNTIME)

LONGEST_LABEL = 1_024
"""Characters of a label: a source with what stands before it."""


class _Part(msgspec.Struct):
    """What of a part in a result matters here."""

    labels: tuple[str, ...]


def untrusted(source: str) -> tuple[str, ...]:
    """The labels of what nobody vouches for.

    >>> untrusted("https://example.org/a b")
    ('untrusted https://example.org/a b',)
    """
    return (f"{UNTRUSTED} {source}".strip(),)


def checked_labels(labels: Iterable[str] | None, source: str) -> tuple[str, ...]:
    """The labels of a document; without any it is untrusted.

    Raises:
        ValueError: when one is no source of a value.
    """
    if isinstance(labels, str):
        raise ValueError(f"labels={labels!r} is one text: give a list, [{labels!r}]")
    if labels is not None and not isinstance(labels, Iterable):
        raise ValueError(f"labels={labels!r} is no list: give ['user'], say, or None")
    given = tuple(labels or untrusted(source or "memory"))
    for label in given:
        is_tool = isinstance(label, str) and label.startswith("tool ") and "$" not in label
        if isinstance(label, str) and len(label) > LONGEST_LABEL:
            raise ValueError(f"label {label!r:.80} has {len(label):,} characters: give at most {LONGEST_LABEL}")
        if not isinstance(label, str) or not (label in SOURCES or is_untrusted(label) or is_tool):
            raise ValueError(
                f"label {label!r:.80} is no source: give {', '.join(map(repr, SOURCES))}, 'tool NAME' or "
                "'untrusted NAME'"
            )
    return tuple(dict.fromkeys(given))


def is_trusted(labels: Iterable[str]) -> bool:
    """Whether untrusted text had no part in it."""
    given = tuple(labels)
    return bool(given) and not any(map(is_untrusted, given))


def labels_within(tool: str, text: str) -> tuple[str, ...]:
    """The labels of a result of that tool: a JSON list of parts, each with its `labels`.

    A part's text is trusted when its labels are. What is no such list is untrusted.
    """
    try:
        parts = msgspec.json.decode(text, type=list[_Part])
    except (msgspec.DecodeError, RecursionError):
        return untrusted(tool)
    if all(is_trusted(part.labels) for part in parts):
        return (*_sources(parts), f"tool {tool} $")
    places = (f"tool {tool} $[{at}].text" for at, part in enumerate(parts) if is_trusted(part.labels))
    return (*untrusted(tool), *_sources(parts), *places)


def _sources(parts: Iterable[_Part]) -> tuple[str, ...]:
    """Those that are no places in a result; a part without labels adds none, for it makes the whole untrusted."""
    every = dict.fromkeys(label for part in parts for label in part.labels)
    return tuple(label for label in every if label in SOURCES or is_untrusted(label))
