"""What was accepted of a server, and what it offers: the two compared. Data and pure functions."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import attrs
import msgspec

from choragus.mailbox.store import Store

from .offer import Offer, difference

VIEW = "mcp"
"""The kind of the view in which each server has a row."""


@attrs.frozen(kw_only=True)
class Standing:
    """A server's tools by their own names: those that were accepted, and those that it offered when it was last seen.

    `wanted` are the names of those offered that its declaration allows; `at` is when the last change was seen.
    """

    server: str
    accepted: dict[str, Offer] = attrs.field(factory=dict)
    offered: dict[str, Offer] = attrs.field(factory=dict)
    wanted: tuple[str, ...] = ()
    at: float = 0.0

    @property
    def changed(self) -> tuple[str, ...]:
        """The accepted tools that are offered otherwise now."""
        return tuple(
            name for name, offer in self.accepted.items() if name in self.offered and self.offered[name] != offer
        )

    @property
    def new(self) -> tuple[str, ...]:
        """Tools that nobody has accepted."""
        return tuple(name for name in self.offered if name not in self.accepted)

    @property
    def gone(self) -> tuple[str, ...]:
        """The accepted tools that are not offered any more."""
        return tuple(name for name in self.accepted if name not in self.offered)

    @property
    def waiting(self) -> tuple[str, ...]:
        """What is refused until somebody accepts it, of that which is wanted."""
        return tuple(name for name in (*self.changed, *self.new) if name in self.wanted)

    @property
    def mark(self) -> str:
        """What a person's word is bound to: 12 digits of a hash over all that is offered."""
        told = "\n".join(f"{name} {self.offered[name].hash}" for name in sorted(self.offered))
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    def objection(self, tool: str, mark: str) -> str:
        """Why a person's word on the tool, or with no tool on all, does not count, or nothing.

        Args:
            mark: what the person has seen; nothing: whatever there is.
        """
        if mark not in ("", self.mark):
            return f"server {self.server!r} offers something else by now: look again"
        if tool and tool not in self.offered and tool not in self.accepted:
            return f"server {self.server!r} offers no tool {tool!r}: it has {', '.join(self.offered) or 'none'}"
        if not (self.changed or self.new or self.gone):
            return f"nothing of server {self.server!r} waits: all that it offers was accepted"
        return ""

    def refusal(self, tool: str) -> str:
        """Why the tool may not be called now, or nothing."""
        offer = self.offered.get(tool)
        if offer is None:
            return f"server {self.server} does not offer {tool} any more"
        if self.accepted.get(tool) != offer:
            return (
                f"{tool} of server {self.server} is not what was accepted: it is refused until a person has looked at "
                "the change and accepted it; go on without it"
            )
        return ""

    def difference(self, tool: str) -> list[str]:
        """What has changed in the tool, as lines that begin with `-` and `+`."""
        return difference(self.accepted.get(tool), self.offered.get(tool))


async def standings(store: Store) -> dict[str, Standing]:
    """What is known of each server that was ever seen with this file."""
    found = [msgspec.json.decode(view.body or b"", type=Standing) for view in await store.views(VIEW)]
    return {one.server: one for one in found}


def by_name(offers: Mapping[str, Offer] | tuple[Offer, ...]) -> dict[str, Offer]:
    """The offers by their names; of two of one name neither, for nobody can tell which is called."""
    found: dict[str, Offer] = {}
    twice: set[str] = set()
    for one in offers.values() if isinstance(offers, Mapping) else offers:
        if one.name in found:
            twice.add(one.name)
        found[one.name] = one
    return {name: one for name, one in found.items() if name not in twice}
