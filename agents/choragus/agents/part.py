"""What the four actors of one run have in common: the run's key, its stream, and whom they tell when they fail."""

from __future__ import annotations

from typing import Generic, TypeVar

from choragus.actors.actor import M
from choragus.actors.durable import DurableActor
from choragus.mailbox.address import actor_id
from choragus.mailbox.turn import Parking

from .message import ORCHESTRATOR, GiveUpRun
from .service import Services
from .stream import run_stream

S = TypeVar("S")


class Part(DurableActor[S, M], Generic[S, M]):
    """One of a run's actors; its key is the run's id."""

    @property
    def stream(self) -> str:
        """The run's logbook."""
        return run_stream(self.key)

    @property
    def services(self) -> Services:
        """What the runtime around this run knows: agents, models, tools, the store to read."""
        services = self.resources
        assert isinstance(services, Services)
        return services

    def tell(self, part: str, message: object) -> None:
        """Send to the actor of this run that is named by its type."""
        self.tell_at(actor_id(part, self.key), message)

    def on_parked(self, message: object, parking: Parking) -> None:
        """A part that fails on a message for good fails its run."""
        self.tell(ORCHESTRATOR, GiveUpRun(part=f"{self.type_name}/{self.key}", reason=parking.reason))
