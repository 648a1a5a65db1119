"""The one module that imports the price table: it is loaded by its name, when a model without a price is made."""

from __future__ import annotations

import genai_prices
from attrs import frozen

from choragus.agents.model import Usage

NAME = f"genai-prices {genai_prices.__version__}"


@frozen
class Listed:
    """A model in the table. Its price may depend on how long a request is, and on the time of day."""

    provider: str
    model: str
    place: str

    @property
    def source(self) -> str:
        """See `Tariff.source`."""
        return NAME

    def cost(self, usage: Usage) -> float:
        """See `Tariff.cost`.

        Raises:
            LookupError: the table does not have the model.
        """
        cached = min(usage.cached_tokens, usage.input_tokens)
        used = genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=cached,
            cache_write_tokens=min(usage.cache_write_tokens, usage.input_tokens - cached),
        )
        if self.place:
            return float(genai_prices.calc_price(used, self.model, provider_api_url=self.place).total_price)
        return float(genai_prices.calc_price(used, self.model, provider_id=self.provider).total_price)


def look_up(provider: str, model: str, place: str) -> Listed | None:
    """The model's entry, if the table has one; with `place`, at the provider whose API is there."""
    entry = Listed(provider, model, place)
    try:
        entry.cost(Usage(input_tokens=1, output_tokens=1))
    except LookupError:
        return None
    return entry
