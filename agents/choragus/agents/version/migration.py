"""A declared patch: runs that began on one identity of an agent may go on as another. A value; nothing runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

from attrs import field, frozen

from choragus.agents.errors import AgentFault

Identity: TypeAlias = Mapping[str, object]
"""What an agent was, as `Manifest.as_dict` says it."""

LEAST = 8
"""Digits of a hash that name an identity."""

_PREFIX = re.compile(rf"[0-9a-f]{{{LEAST},64}}")


@frozen(kw_only=True)
class Migration:
    """Runs of an agent that began on `from_` are compatible with the agent as it is now, if that is `to`.

    >>> Migration(agent="clerk", from_="3f9a51c207", to="b81c22e94d", by="mia", why="only the tone changed").to
    'b81c22e94d'

    Args:
        agent: its name.
        from_: the hash of what it was, or the first 8 or more digits of it; or a function from the identity that was,
            in JSON values, to whether it may go on. Runs whose file does not hold that identity are not asked about.
        to: the hash of what it is now, or the first 8 or more digits of it. When the agent is anything else the run is
            refused: a patch that was written for one version says nothing about the next.
        by: whose word it is; it stands in the logbook of each run that it is used for.
        why: the reason, which stands there too.
        renamed: of tools that have another name now, the new name by the old one: calls that wait under the old name,
            for a person say, are made with the tool of the new one. A run that was narrowed to some tools may call no
            others, by whatever names.

    Raises:
        AgentFault: when one of these is none.
    """

    agent: str
    from_: str | Callable[[Identity], bool]
    to: str
    by: str
    why: str
    renamed: Mapping[str, str] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if not callable(self.from_) and not _is_prefix(self.from_):
            raise AgentFault(f"Migration(from_={self.from_!r}) names no identity: {_REMEDY}, or a function of it")
        if not _is_prefix(self.to):
            raise AgentFault(f"Migration(to={self.to!r}) names no identity: {_REMEDY}")
        for name in ("agent", "by", "why"):
            value: object = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise AgentFault(f"Migration({name}={value!r}) says nothing: give a text")
        renamed = self.renamed
        if not isinstance(renamed, Mapping) or not all(isinstance(one, str) for two in renamed.items() for one in two):
            raise AgentFault(
                f"Migration(renamed={renamed!r}): give the new names by the old ones, such as {{'a': 'b'}}"
            )

    def is_from(self, hash: str, identity: Identity | None) -> bool:
        """Whether it is about runs of that identity, which is known by its hash alone where the file has no more."""
        if isinstance(self.from_, str):
            return hash.startswith(self.from_)
        return identity is not None and bool(self.from_(identity))


_REMEDY = f"give its hash, or the first {LEAST} or more digits of it"


def _is_prefix(value: object) -> bool:
    return isinstance(value, str) and _PREFIX.fullmatch(value) is not None


def checked(migrations: Iterable[Migration], agents: Iterable[str]) -> tuple[Migration, ...]:
    """The migrations of a runtime.

    Raises:
        AgentFault: when one is none, or of an agent that is not there.
    """
    found, known = tuple(migrations), set(agents)
    for one in found:
        if not isinstance(one, Migration):
            raise AgentFault(f"{one!r} is no Migration: pass Runtime(migrations=[Migration(...)])")
        if one.agent not in known:
            raise AgentFault(
                f"a Migration is about agent {one.agent!r}, which is not among the runtime's: leave it out"
            )
    return found


def aliases(migrations: Iterable[Migration]) -> dict[tuple[str, str], str]:
    """The new names of tools, by agent and old name."""
    return {(one.agent, old): new for one in migrations for old, new in one.renamed.items()}


def chosen(
    migrations: Iterable[Migration], agent: str, was: str, now: str, identity: Identity | None
) -> tuple[Migration | None, str]:
    """The one that leads from one identity to the other; or none, and what those that begin there lead to instead."""
    elsewhere = ""
    for one in migrations:
        if one.agent == agent and one.is_from(was, identity):
            if now.startswith(one.to):
                return one, ""
            elsewhere = f"; the migration declared by {one.by} leads to {one.to[:12]}, and the agent is {now[:12]}"
    return None, elsewhere
