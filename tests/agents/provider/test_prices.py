"""What a call costs: a price that is given, the table's, or none, which no run with a ceiling on money begins with."""

from __future__ import annotations

import pytest

from choragus.agents.agent import Agent
from choragus.agents.errors import LimitFault
from choragus.agents.ledger import Ledger
from choragus.agents.limits import Limits
from choragus.agents.model import ModelReply, ModelRequest, Price, Usage
from choragus.agents.provider import tariff
from choragus.agents.provider.tariff import Tariffs
from choragus.agents.runtime import Runtime
from choragus.agents.scripted import ScriptedModel

PRICED = Usage(input_tokens=1_000_000, output_tokens=1_000_000)


class Unpriced(ScriptedModel):
    """A model whose price nobody knows."""

    has_price = False


def unpriced(**limits: object) -> Agent:
    """An agent of such a model."""
    return Agent("clerk", model=Unpriced(["Done."]), limits=Limits(**limits))  # type: ignore[arg-type]  # as Limits checks


def test_what_is_read_from_the_cache_or_written_to_it_has_its_own_price() -> None:
    price = Price(input_per_million=2.0, cached_per_million=0.5, cache_write_per_million=3.0)
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, cache_write_tokens=100_000)

    assert price.cost(usage) == pytest.approx(0.5 * 2.0 + 0.4 * 0.5 + 0.1 * 3.0)
    assert Price(input_per_million=2.0).cost(usage) == 2.0


def test_a_price_of_the_cache_is_checked() -> None:
    with pytest.raises(ValueError, match=r"^Price.cached_per_million is -1.0, below 0 or not finite"):
        Price(cached_per_million=-1.0)


def test_the_table_knows_models_by_provider_or_by_address() -> None:
    pytest.importorskip("genai_prices")

    known = Tariffs("openai", "gpt-5-mini", "", None).now()
    there = Tariffs("openai", "deepseek-chat", "https://api.deepseek.com/v1", None).now()

    assert known is not None
    assert known.cost(PRICED) > known.cost(Usage(input_tokens=1_000_000, cached_tokens=1_000_000)) > 0
    assert known.source.startswith("genai-prices ")
    assert there is not None
    assert Tariffs("openai", "no-such-model", "", None).now() is None
    assert Tariffs("openai", "gpt-5-mini", "http://127.0.0.1:1/v1", None).now() is None


async def test_the_table_is_loaded_off_the_loop_and_never_for_a_price_that_is_given() -> None:
    pytest.importorskip("genai_prices")
    given, listed = Tariffs("openai", "gpt-5-mini", "", Price()), Tariffs("openai", "gpt-5-mini", "", None)

    assert given.now() is not None
    assert listed._found is None
    await listed.ready()
    assert listed._found is not None


def test_without_the_table_a_price_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tariff, "find_spec", lambda name: None)

    assert Tariffs("openai", "gpt-5-mini", "", None).now() is None
    assert Tariffs("openai", "gpt-5-mini", "", Price()).now() is not None


async def test_a_ceiling_on_money_and_no_price_is_an_error_before_the_run() -> None:
    clerk = unpriced()
    async with Runtime(agents=[clerk]) as runtime:
        with pytest.raises(
            LimitFault, match=r"^model 'scripted' of agent 'clerk' has no price .*price=Price\(\.\.\.\)"
        ):
            await runtime.start(clerk, "Go.")

        assert await runtime.runs() == []


@pytest.mark.parametrize("limits", [{"cost_usd": None}, {"unbounded": "allow"}], ids=["no ceiling", "allowed"])
async def test_without_a_ceiling_on_money_no_price_is_needed(limits: dict[str, object]) -> None:
    clerk = unpriced(**limits)
    async with Runtime(agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Go.")

        assert await run.result() == "Done."


async def test_a_ceiling_that_is_shared_counts_too() -> None:
    clerk = unpriced(cost_usd=None)
    async with Runtime(agents=[clerk], ledgers=[Ledger("acme", cost_usd=1.0)]) as runtime:
        with pytest.raises(LimitFault, match=r"ceilings on money \(those that it shares\)"):
            await runtime.start(clerk, "Go.", ledgers=["acme"])


async def test_fallbacks_and_the_cheaper_model_need_a_price_too() -> None:
    for which in ({"fallbacks": [Unpriced([])]}, {"cheaper": Unpriced([])}):
        clerk = Agent("clerk", model=ScriptedModel(["x"]), **which)
        async with Runtime(agents=[clerk]) as runtime:
            with pytest.raises(LimitFault, match="has no price"):
                await runtime.start(clerk, "Go.")


async def test_a_price_that_is_gone_when_a_run_goes_on_ends_it_before_the_call() -> None:
    class Forgetful(ScriptedModel):
        """A model whose price is known until the run has begun."""

        asked = 0

        @property
        def has_price(self) -> bool:
            self.asked += 1
            return self.asked == 1

        async def complete(self, request: ModelRequest) -> ModelReply:
            raise AssertionError("it costs, and nobody knows what")

    clerk = Agent("clerk", model=Forgetful(["x"]))
    async with Runtime(agents=[clerk]) as runtime:
        run = await runtime.start(clerk, "Go.")

        with pytest.raises(Exception, match=r"may use at most \(it has no price\)"):
            await run.result()


async def test_a_runtime_lets_the_models_go_at_its_end() -> None:
    class Held(ScriptedModel):
        """A model that holds something between calls."""

        released = 0

        async def release(self) -> None:
            self.released += 1

    held = Held(["x"])
    agents = [Agent("a", model=held), Agent("b", model=ScriptedModel([]), cheaper=held)]
    async with Runtime(agents=agents):
        assert held.released == 0

    assert held.released == 1
