"""What a model may offer beyond its protocol: to say whether it has a price, to prepare itself, to let go of things.

has_price: bool             whether anybody knows what a call costs; without the attribute somebody does
async prepare() -> None     do what would hold up the event loop when its price or estimate is asked for
async release() -> None     give back what is held between calls, connections say; the next call takes it again
"""

from __future__ import annotations

from collections.abc import Iterable

from .agent import Agent
from .errors import LimitFault
from .judge import Judge
from .model import Model

NO_PRICE = "it has no price"


def every_model(agent: Agent[object]) -> tuple[Model, ...]:
    """Those that may answer in the agent's runs."""
    judges = (agent.success.model,) if isinstance(agent.success, Judge) else ()
    return (*agent.models, *(() if agent.cheaper is None else (agent.cheaper,)), *judges)


def lacks_price(model: Model) -> bool:
    """Whether nobody knows what a call of the model costs."""
    return not getattr(model, "has_price", True)


def may_not_cost(agent: Agent[object]) -> bool:
    """Whether a run of the agent makes no call of a model without a price."""
    return agent.limits.cost_usd is not None and agent.limits.unbounded == "refuse"


async def prepare(model: Model) -> None:
    """Let the model do now what would hold up the event loop later."""
    act = getattr(model, "prepare", None)
    if act is not None:
        await act()


async def check_prices(agent: Agent[object], shares: bool) -> None:
    """Refuse to begin a run with a ceiling on money and a model without a price.

    Args:
        shares: whether others' ceilings hold for the run too, a parent's or a ledger's.

    Raises:
        LimitFault: with what to do.
    """
    for model in every_model(agent):
        await prepare(model)
        if lacks_price(model) and (may_not_cost(agent) or (shares and agent.limits.unbounded == "refuse")):
            ceiling = f"cost_usd={agent.limits.cost_usd!r}" if may_not_cost(agent) else "those that it shares"
            raise LimitFault(
                f"model {model.name!r} of agent {agent.name!r} has no price that anybody knows, and its runs have "
                f"ceilings on money ({ceiling}): give the model a price=Price(...) (Price() is free), install the "
                "price table with pip install 'choragus[prices]', or give the agent Limits(cost_usd=None) or "
                "Limits(unbounded='allow')"
            )


async def release(agents: Iterable[Agent[object]]) -> None:
    """Let the models of these agents give back what they hold between calls."""
    for model in {id(model): model for agent in agents for model in every_model(agent)}.values():
        act = getattr(model, "release", None)
        if act is not None:
            await act()
