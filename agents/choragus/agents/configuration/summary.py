"""A summary by a model that the file names, which is looked up when the agent is made."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from choragus.agents.context.strategy import Summarise
from choragus.agents.model import Model
from choragus.agents.provider.registry import model_named


@frozen
class SummaryBy:
    """`Summarise(model=...)` with the model as a text."""

    model: str
    strategy: Summarise

    def made(self, models: Mapping[str, Model]) -> Summarise:
        """The strategy itself."""
        by = models[self.model] if self.model in models else model_named(self.model)
        return Summarise(model=by, keep_tokens=self.strategy.keep_tokens)
