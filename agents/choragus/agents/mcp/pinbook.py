"""The book of what was accepted of each server: a durable actor for each, kept in the file of the runs.

A tool is accepted with all that its server says of it. What is offered later and is not exactly that is refused from
the turn on in which it was seen, until a person accepts it.
"""

from __future__ import annotations

import attrs

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.actors.message import Request
from choragus.agents.attention import HERALD, MAIN, Over, Raise, of_server
from choragus.agents.sender import from_outside
from choragus.agents.service import Services
from choragus.mailbox.address import actor_id
from choragus.mailbox.codec import stored

from .offer import Offer
from .standing import VIEW, Standing, by_name

PINBOOK = "choragus.mcp_pins"


@stored("choragus.mcp_saw_tools")
@attrs.frozen(kw_only=True)
class SawTools(Request[str]):
    """A server offers these; `wanted` are the names of those that are allowed. `is_strict`: nothing is accepted unseen.

    The reply says which of them were accepted, or nothing.
    """

    offers: tuple[Offer, ...]
    wanted: tuple[str, ...]
    is_strict: bool = False


@stored("choragus.mcp_accept")
@attrs.frozen(kw_only=True)
class AcceptTools(Request[str]):
    """A person accepts what a server offers: one tool, or all. The reply is why not, or empty.

    `mark` is that of what the person has seen; empty: whatever there is.
    """

    by: str
    tool: str = ""
    mark: str = ""
    identity: dict[str, str] = attrs.field(factory=dict)


@stored("choragus.mcp_pinbook_state")
@attrs.define
class PinbookState:
    """As Standing; `was_seen`: the server has been there at least once. `told` is what people were told of."""

    accepted: dict[str, Offer] = attrs.field(factory=dict)
    offered: dict[str, Offer] = attrs.field(factory=dict)
    wanted: tuple[str, ...] = ()
    was_seen: bool = False
    at: float = 0.0
    told: str = ""


class Pinbook(DurableActor[PinbookState, SawTools | AcceptTools], name=PINBOOK):
    """Keeps what was accepted of one server, which is its key."""

    @handle
    def saw(self, message: SawTools) -> str:
        """Compare what the server offers with what was accepted; the first time, accept it unless that is strict."""
        state, offered = self.state, by_name(message.offers)
        is_first, state.was_seen = not state.was_seen, True
        if is_first and not message.is_strict:
            state.accepted = dict(offered)
        if is_first or offered != state.offered or message.wanted != state.wanted:
            state.offered, state.wanted, state.at = offered, message.wanted, self.now
            self._show("mcp.pinned" if is_first else "mcp.changed")
        return ""

    @handle
    def accept(self, message: AcceptTools) -> str:
        """Take what is offered as accepted."""
        refusal = self._objection(message)
        if refusal:
            self.log("mcp.refused", server=self.key, tool=message.tool, by=message.by, reason=refusal)
            return refusal
        before, state = self._standing, self.state
        taken = [message.tool] if message.tool else [*before.changed, *before.new, *before.gone]
        for tool in taken:
            state.accepted.pop(tool, None)
            if tool in state.offered:
                state.accepted[tool] = state.offered[tool]
        marks = {tool: state.offered[tool].hash for tool in taken if tool in state.offered}
        self._show("mcp.accepted", by=message.by, identity=message.identity, tools=marks)
        return ""

    def _objection(self, message: AcceptTools) -> str:
        if not from_outside(self._turn.sender):
            return f"{self._turn.sender} is an actor, and only people accept tools"
        if not self.state.was_seen:
            return f"server {self.key!r} was never seen with this file: open it with an agent that has it"
        return self._standing.objection(message.tool, message.mark)

    @property
    def _standing(self) -> Standing:
        state = self.state
        return Standing(
            server=self.key,
            accepted=dict(state.accepted),
            offered=dict(state.offered),
            wanted=state.wanted,
            at=state.at,
        )

    def _show(self, kind: str, **more: object) -> None:
        """Write it down, tell people, and let it count."""
        standing = self._standing
        self.log(
            kind,
            server=self.key,
            changed=standing.changed,
            new=standing.new,
            gone=standing.gone,
            mark=standing.mark,
            **more,
        )
        self.view(VIEW, self.key, attrs.asdict(standing), sort=standing.at)
        services = self.resources
        assert isinstance(services, Services)
        self._tell(standing, services)
        catalogue = services.catalogue
        if catalogue is not None:
            self._turn.after_commit(lambda: catalogue.take(standing))

    def _tell(self, standing: Standing, services: Services) -> None:
        if services.hook is None:
            return
        item = of_server(standing) if standing.waiting else None
        if self.state.told and (item is None or item.id != self.state.told):
            self.tell_at(actor_id(HERALD, MAIN), Over(self.state.told))
        if item is not None:
            self.tell_at(actor_id(HERALD, MAIN), Raise((item,)))
        self.state.told = "" if item is None else item.id
