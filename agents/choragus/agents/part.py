"""What the four actors of one run have in common: the run's key, its stream, and whom they tell when they fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Generic, TypeVar

from choragus.actors.actor import M
from choragus.actors.durable import DurableActor
from choragus.mailbox.address import actor_id
from choragus.mailbox.turn import Parking

from .attention import HERALD, MAIN, Attention, Over, Raise
from .message import GUARDRAIL, ORCHESTRATOR, GiveUpRun
from .service import Services
from .stream import run_stream

S = TypeVar("S")

PATIENCE = 90.0
"""Seconds that a part waits for the guardrail: longer than five attempts take that each hang until their timeout."""


class Part(DurableActor[S, M], Generic[S, M]):
    """One of a run's actors; its key is the run's id."""

    group: ClassVar[str] = "run"
    turn_timeout: ClassVar[float] = 10.0
    """A part's handlers compute and read; whatever may take long is an effect."""

    @property
    def stream(self) -> str:
        """The run's logbook."""
        return run_stream(self.key)

    @property
    def is_done(self) -> bool:
        """Whether the run is over."""
        return bool(getattr(self.state, "over", False))

    @property
    def services(self) -> Services:
        """What the runtime around this run knows: agents, models, tools, the store to read."""
        services = self.resources
        assert isinstance(services, Services)
        return services

    def tell(self, part: str, message: object) -> None:
        """Send to the actor of this run that is named by its type."""
        self.tell_at(actor_id(part, self.key), message)

    def hears(self, part: str) -> bool:
        """Whether the message in hand is from the actor of this run that is named by its type."""
        return self._turn.sender == actor_id(part, self.key)

    def announce(self, item: Attention) -> None:
        """Tell people, if the runtime has whom to tell."""
        if self.services.hook is not None:
            self.tell_at(actor_id(HERALD, MAIN), Raise((item,)))

    def announce_over(self, id: str) -> None:
        """What was announced needs nobody any longer, and may come again."""
        if self.services.hook is not None:
            self.tell_at(actor_id(HERALD, MAIN), Over(id))

    def ask_guardrail(self, message: object, *, then: Callable[..., object], about: str) -> None:
        """Ask this run's guardrail; `then` gets its Verdict or AskFailed, with `about`."""
        self.ask_at(actor_id(GUARDRAIL, self.key), message, then=then, about=about, timeout=PATIENCE)

    def on_parked(self, message: object, parking: Parking) -> None:
        """A part that fails on a message for good fails its run."""
        self.tell(ORCHESTRATOR, GiveUpRun(part=self.id, reason=parking.reason))
