"""What a library is: a name, how long it keeps what, and how it makes vectors. A value; nothing runs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from attrs import field, frozen

from choragus.agents.tool import Tool

from .embedder import Embedder
from .namespace import OWN
from .retrieving import FromLibrary
from .tools import Namespace, memory_tools

CHUNK = 2_000
"""Characters of a part, unless the library says otherwise."""

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@-]{0,127}")


@frozen
class Library:
    """A named collection of texts that runs and hosts put, and find by their words.

    >>> Library("facts", keep_seconds=30 * 86_400).name
    'facts'

    Pass it in `Runtime(libraries=[...])`; `runtime.library("facts")` is then the library itself.

    Args:
        name: letters, digits, `_`, `.`, `@` and `-`, at most 128.
        keep_seconds: how long a text is found; then it is deleted. None: for good.
        most_documents: how many there are at most; of more, the oldest are deleted within a second or so.
        embedder: makes the vectors, by which it then finds besides; needs the extra `vector`.
        chunk: how many characters the parts have at most that a text is searched in.

    Raises:
        ValueError: when one of these is none that it may be.
    """

    name: str
    keep_seconds: float | None = field(default=None, kw_only=True)
    most_documents: int | None = field(default=None, kw_only=True)
    embedder: Embedder | None = field(default=None, kw_only=True)
    chunk: int = field(default=CHUNK, kw_only=True)

    def __attrs_post_init__(self) -> None:
        checked_name(self.name, "library")
        keep, most = self.keep_seconds, self.most_documents
        if keep is not None and not (_is_number(keep) and 0 < keep < math.inf):
            raise ValueError(f"Library(keep_seconds={keep!r}) is no time: give seconds, above 0 and finite, or None")
        if most is not None and (type(most) is not int or most < 1):
            raise ValueError(f"Library(most_documents={most!r}) is no count: give a whole number above 0, or None")
        if type(self.chunk) is not int or not 100 <= self.chunk <= 1_000_000:
            raise ValueError(f"Library(chunk={self.chunk!r}): give characters, from 100 to 1,000,000")
        if self.embedder is not None and (isinstance(self.embedder, type) or not isinstance(self.embedder, Embedder)):
            raise ValueError(f"Library(embedder={self.embedder!r}) needs name, dimensions and embed(texts)")

    def tools(
        self, *, read: bool = True, write: bool = True, namespace: Namespace = OWN, called: str = "memory"
    ) -> list[Tool]:
        """The tools by which an agent uses it: `search_memory`, which reads, and `remember`, which is reversible.

        Args:
            namespace: whose it is: a text, or a function from the ToolContext of a call to one. The model has no say.
            called: another name than `memory` where an agent has several libraries: `search_CALLED`, `remember_CALLED`.
        """
        return memory_tools(self.name, read=read, write=write, namespace=namespace, called=called)

    def retriever(self, *, namespace: str = OWN) -> FromLibrary:
        """What looks into it for `Context(retrieve=[Retrieval(...)])`, in the runtime that has the library."""
        checked_name(namespace, "namespace")
        return FromLibrary(self.name, namespace)


def checked_name(name: object, what: str) -> str:
    """The name of a library or namespace.

    Raises:
        ValueError: when it is none. There are no patterns and no paths.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name for a {what}: give 1 to 128 letters, digits, '_', '.', '@' or '-', "
            "beginning with one of the first three"
        )
    return name


def library_key(name: str, namespace: str) -> str:
    """What the actor of a library is known by.

    >>> library_key("facts", "tenant-a")
    'tenant-a/facts'
    """
    return f"{checked_name(namespace, 'namespace')}/{checked_name(name, 'library')}"


def collection_of(key: str) -> str:
    """The store's collection of a library."""
    return f"library/{key}"


def by_name(libraries: Iterable[Library]) -> dict[str, Library]:
    """The libraries of a runtime.

    Raises:
        ValueError: when one is none, or two share a name.
    """
    if not isinstance(libraries, Iterable):
        raise ValueError(f"libraries={libraries!r} is no list: pass Runtime(libraries=[Library('facts')])")
    found: dict[str, Library] = {}
    for library in libraries:
        if not isinstance(library, Library):
            raise ValueError(f"{library!r} is no Library: pass Runtime(libraries=[Library('facts')])")
        if library.name in found:
            raise ValueError(f"two libraries are named {library.name!r}: rename one; a namespace keeps tenants apart")
        found[library.name] = library
    return found


def checked_episodes(value: object) -> Library | bool:
    """What a runtime was given as `episodes=`.

    Raises:
        ValueError: when it is neither True, False nor a Library.
    """
    if not isinstance(value, bool | Library):
        raise ValueError(f"episodes={value!r}: give True, False, or Library('episodes', keep_seconds=...)")
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
