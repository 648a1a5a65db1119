"""What the agents of a runtime are now, and which of it is on disk: each identity and provenance is written once."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence

import anyio
import anyio.to_thread
from attrs import asdict, define, field, frozen

from choragus.agents.agent import Agent
from choragus.agents.errors import AgentFault
from choragus.agents.manifest import Manifest, manifest, schema_hash
from choragus.agents.policy.chain import Policy
from choragus.agents.storable import storable
from choragus.mailbox.store import Store

from .provenance import Provenance, bare_provenance, known_provenance, provenance
from .reading import as_text, row_of
from .record import CONTENT, MANIFEST, PROVENANCE

_LOG = logging.getLogger("choragus")

SECONDS = 1.0
"""That an opening waits for where its agents' code comes from; what takes longer is left out."""


@frozen(kw_only=True)
class Row:
    """A row of the file, by whose key it is known what it says."""

    kind: str
    key: str
    body: dict[str, object]
    scope: str = ""


@define
class Versions:
    """The identities and provenances of a runtime's agents.

    Args:
        agents: by name, perhaps changed in place when more tools are accepted.
        common: the policies of the runtime.
    """

    agents: Mapping[str, Agent[object]]
    common: Sequence[Policy] = ()
    _manifests: dict[str, tuple[Agent[object], Manifest]] = field(factory=dict, init=False)
    _provenances: dict[str, Provenance] = field(factory=dict, init=False)
    _on_disk: set[str] = field(factory=set, init=False)

    def manifest(self, name: str) -> Manifest:
        """The identity of the agent of that name as it is now.

        Raises:
            KeyError: when there is none.
            AgentFault: when it can have no identity.
        """
        agent = self.agents[name]
        known = self._manifests.get(name)
        if known is None or known[0] is not agent:
            known = self._manifests[name] = agent, manifest(agent, self.common)
        return known[1]

    def provenance(self, name: str) -> str:
        """The hash of where the agent's code comes from; empty before it is known, or when it is not here."""
        known = self._provenances.get(name)
        return "" if known is None else known.hash

    def is_same(self, was: str, now: str) -> bool:
        """Whether one provenance may be the other: one that could not be read in time says nothing of a change."""
        return was == now or bare_provenance().hash in (was, now)

    async def open(self, store: Store) -> None:
        """Look where the agents' code comes from, off the event loop, and what the file has already."""
        unknown = [agent for agent in self.agents.values() if known_provenance(agent) is None]
        if unknown:
            with anyio.move_on_after(SECONDS):
                await anyio.to_thread.run_sync(_look, unknown, abandon_on_cancel=True)
        for name, agent in self.agents.items():
            found = self._provenances[name] = known_provenance(agent) or bare_provenance()
            try:
                keys = (MANIFEST, self.manifest(name).hash), (PROVENANCE, found.hash)
            except AgentFault:
                continue  # whoever starts it is told
            for kind, key in keys:
                if key not in self._on_disk and await row_of(store, kind, key) is not None:
                    self._on_disk.add(key)

    def unwritten(self, name: str) -> Iterator[Row]:
        """The rows that are to be written with a turn that speaks of the agent as it is now."""
        agent, now, origin = self.agents[name], self.manifest(name), self._provenances.get(name)
        if now.hash not in self._on_disk:
            identity: dict[str, object] = {"hash": now.hash, "agent": name, "identity": now.as_dict()}
            yield Row(kind=MANIFEST, key=now.hash, scope=name, body=identity)
            yield from _contents(agent)
        if origin is not None and origin.hash not in self._on_disk:
            told: dict[str, object] = {"hash": origin.hash, "provenance": origin.as_dict()}
            yield Row(kind=PROVENANCE, key=origin.hash, body=told)

    def contents(self, name: str) -> dict[str, str]:
        """What the agent's identity holds by digest, as texts of lines."""
        return {row.key: as_text(row.body) for row in _contents(self.agents[name])}

    def written(self, keys: Collection[str]) -> None:
        """These are on disk."""
        self._on_disk.update(keys)


def _contents(agent: Agent[object]) -> Iterator[Row]:
    """What the identity holds by digest: texts and schemas."""
    prompt = agent.prompt
    yield Row(kind=CONTENT, key=prompt.digest, body={"text": storable(prompt.text)})
    if prompt.template is not None:
        yield Row(kind=CONTENT, key=prompt.template.digest, body={"text": storable(prompt.template.text)})
    if agent.typed is not None:
        yield Row(kind=CONTENT, key=agent.typed.digest, body={"schema": agent.typed.asked.schema})
    for tool in agent.tools:
        yield Row(kind=CONTENT, key=schema_hash(tool.schema), body={"schema": asdict(tool.schema)})


def _look(agents: Sequence[Agent[object]]) -> None:
    for agent in agents:
        try:
            provenance(agent)
        except Exception:  # what is installed may be broken in any way, and what is recorded must not hold anything up
            _LOG.debug("where the code of agent %r comes from cannot be read", agent.name, exc_info=True)
