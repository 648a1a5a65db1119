"""What a model's tokens cost: by the price that was given, or by the price table of the `prices` extra."""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

from attrs import frozen

from choragus.agents.model import Price, Usage

from .connection import loop_runs

_BOOK = "choragus.agents.provider.price_book"


class Tariff(Protocol):
    """A price, and where it is from."""

    @property
    def source(self) -> str:
        """In one word or two."""

    def cost(self, usage: Usage) -> float:
        """US dollars."""


class Book(Protocol):
    """Our module around the price table."""

    def look_up(self, provider: str, model: str, place: str) -> Tariff | None:
        """The model's price, if the table has one."""


@frozen
class Given:
    """A price that the user gave."""

    price: Price

    @property
    def source(self) -> str:
        """See `Tariff.source`."""
        return "given"

    def cost(self, usage: Usage) -> float:
        """See `Tariff.cost`."""
        return self.price.cost(usage)


class Tariffs:
    """Finds the tariff of one model, once.

    Args:
        place: the base URL of an endpoint that is not the provider's own; then the model is looked up there.
    """

    def __init__(self, provider: str, model: str, place: str, price: Price | None) -> None:
        self._asked = (provider, model, place)
        self._found: Tariff | None = Given(price) if price is not None else None
        self._is_known = price is not None or find_spec("genai_prices") is None
        if not self._is_known and not loop_runs():
            self.now()

    async def ready(self) -> None:
        """Look it up off the event loop: the table takes half a second to load."""
        if not self._is_known:
            await asyncio.to_thread(self.now)

    def now(self) -> Tariff | None:
        """The tariff, if anybody knows it."""
        if not self._is_known:
            # By its name, so that importing choragus.agents does not load the table.
            self._found = cast(Book, import_module(_BOOK)).look_up(*self._asked)
            self._is_known = True
        return self._found
