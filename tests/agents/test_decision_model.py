"""Whatever people send, in whatever order: what is decided is what enough of them have approved as it was shown."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping

import attrs
import pytest

from choragus.actors.testing.simulation import simulate
from choragus.agents.approval import arguments_hash
from choragus.agents.approver import Approvals
from choragus.agents.guardrail import Guardrail
from choragus.agents.inspection import approvals
from choragus.agents.message import Decide, JudgeCall
from choragus.agents.service import Services
from choragus.mailbox.memory import MemoryStore
from choragus.supervision.system import System

from .people_play import payer

PEOPLE = ("ann", "bob", "eve", "mallory")
GROUP = PEOPLE[:3]
BEGIN: dict[str, object] = {"invoice": "A-17", "amount": "150.00"}
STEPS = 12


@attrs.define
class Model:
    """What should be: the arguments that are shown, who has approved these, and what was decided."""

    arguments: dict[str, object] = attrs.field(factory=lambda: dict(BEGIN))
    given: tuple[str, ...] = ()
    approved: bool | None = None

    def take(self, message: Decide) -> bool:
        """One decision; whether it changes anything."""
        is_shown = message.hash == _hash(self.arguments)
        if self.approved is not None or message.by not in GROUP or not is_shown:
            return False
        if not message.approved:
            self.approved = False
            return message.arguments is None
        edited = {**self.arguments, **(message.arguments or {})}
        if edited["amount"] == "much" or (edited == self.arguments and message.by in self.given):
            return False
        self.given = (*(self.given if edited == self.arguments else ()), message.by)
        self.arguments = edited
        if len(self.given) == 2:
            self.approved = True
        return True


def _hash(arguments: Mapping[str, object]) -> str:
    return arguments_hash("r", "1.1", "pay", dict(arguments))


def _drawn(chance: random.Random, shown: list[dict[str, object]]) -> Decide:
    """A decision of anybody, about what is or was shown, or about what never was."""
    other: dict[str, object] = {"invoice": "B", "amount": "9"}
    about = chance.choice([shown[-1], shown[-1], chance.choice(shown), other])
    approved = chance.random() < 0.9
    amount = chance.choice([None, None, "120.00", "150.00", "much"])
    edit: dict[str, object] | None = {"amount": amount} if amount else None
    return Decide(
        call="1.1",
        approved=approved,
        by=chance.choice(PEOPLE),
        hash=_hash(about),
        arguments=edit if approved else None,
    )


async def _play(seed: int) -> None:
    chance, model, store = random.Random(seed), Model(), MemoryStore()
    services = Services({"clerk": payer([], approvals=Approvals(chain=[GROUP], quorum=2))}, store)
    async with System(actors=[Guardrail], resources=services, store=store) as system:
        guardrail = system.ref(Guardrail, "r")
        asked = JudgeCall(call="1.1", tool="pay", risk="irreversible", arguments=dict(BEGIN), agent="clerk")
        await guardrail.ask(asked)
        shown = [dict(BEGIN)]
        for _ in range(STEPS):
            message = _drawn(chance, shown)
            changes = model.take(message)

            refusal = await guardrail.ask(message)

            assert not (changes and refusal), f"{message} was refused: {refusal}"
            pending = await approvals(store)
            assert (pending == []) is (model.approved is not None), message
            if pending:
                assert (pending[0].arguments, pending[0].given) == (model.arguments, model.given), message
                shown.append(pending[0].arguments)
        decided = [json.loads(one.body) for one in await store.read("run/r") if one.kind == "approval.decided"]
        assert [one["approved"] for one in decided] == ([] if model.approved is None else [model.approved])
        if model.approved:
            assert sorted(decided[0]["given"]) == sorted(model.given)
            assert decided[0].get("bound", _hash(BEGIN)) == _hash(model.arguments)
            assert decided[0].get("was", BEGIN) == BEGIN


@pytest.mark.parametrize("seed", range(15))
def test_what_is_decided_is_what_enough_have_approved_as_it_was_shown(seed: int) -> None:
    simulate(lambda: _play(seed), seed=seed)


@pytest.mark.slow
def test_full_what_is_decided_is_what_enough_have_approved_as_it_was_shown() -> None:
    for seed in range(100, 600):
        simulate(lambda seed=seed: _play(seed), seed=seed)  # type: ignore[misc]  # bound at once
