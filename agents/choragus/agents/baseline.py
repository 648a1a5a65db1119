"""What the runs of one version of an agent did: learnt from each that completes, read by the guardrails of later ones.

One actor per version, so that runs that end at the same time do not overwrite what the others taught.
"""

from __future__ import annotations

import attrs
import msgspec

from choragus.actors.dispatch import handle
from choragus.actors.durable import DurableActor
from choragus.mailbox.codec import stored
from choragus.mailbox.store import Store

from .policy.norms import Figures, Norms

BASELINE = "baseline"
NORMS = "norms"
"""The kind of the view row; its key is the hash of the agent's manifest."""


@stored("choragus.learn_run")
@attrs.frozen(kw_only=True)
class LearnRun:
    """A run of this version has completed."""

    run: str
    figures: Figures
    steps: int
    cost_usd: float


@stored("choragus.baseline_state")
@attrs.define
class BaselineState:
    """The norms by now."""

    norms: Norms = attrs.field(factory=Norms)


class Baseline(DurableActor[BaselineState, LearnRun], name=BASELINE):
    """Learns; its key is the hash of the agent's manifest."""

    @handle
    def learn(self, message: LearnRun) -> None:
        """One more run."""
        state = self.state
        state.norms = state.norms.learn(message.figures, steps=message.steps, cost_usd=message.cost_usd)
        self.view(NORMS, self.key, state.norms.row())


async def read_norms(store: Store, manifest: str) -> Norms | None:
    """The norms of a version, if any run of it has completed."""
    row = await store.view(NORMS, manifest)
    return None if row is None or row.body is None else Norms.of_row(msgspec.json.decode(row.body))
