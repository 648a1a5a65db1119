"""Choragus at the plan: a durable actor, and an effect for each step."""

from __future__ import annotations

import asyncio
from pathlib import Path

from attrs import define, field, frozen

from choragus.actors.dispatch import handle, reply
from choragus.actors.durable import DurableActor
from choragus.actors.effect import EffectContext
from choragus.actors.message import EffectFailed, EffectUnknown, Request
from choragus.mailbox.codec import stored
from choragus.mailbox.turn import OnInterrupt
from choragus.supervision.system import System

from .person import Person
from .rival import World

LOOK = 0.001
"""Seconds between two looks at the view: reads, which no interposer counts."""


@stored("rivals.begin")
@frozen
class Begin(Request[bool]):
    steps: int
    on_interrupt: OnInterrupt


@stored("rivals.settle")
@frozen
class Settle(Request[None]):
    """A person looked whether the step happened."""

    happened: bool


@stored("rivals.step")
@frozen
class Step:
    number: int


@stored("rivals.plan")
@define
class PlanState:
    steps: int = 0
    on_interrupt: OnInterrupt = OnInterrupt.UNKNOWN
    results: list[str] = field(factory=list)
    effect: str = ""


class Planner(DurableActor[PlanState, Begin | Settle], name="rivals.planner"):
    """Takes its steps one after the other."""

    @handle
    def begin(self, message: Begin) -> bool:
        self.state.steps, self.state.on_interrupt = message.steps, message.on_interrupt
        self._go_on()
        return True

    @reply
    def done(self, result: str | EffectFailed | EffectUnknown) -> None:
        match result:
            case str():
                self.state.results.append(result)
                self._go_on()
            case EffectUnknown():
                self.view("plan", "plan", {"unknown": len(self.state.results) + 1})
            case EffectFailed():
                raise AssertionError(result)

    @handle
    def settle(self, message: Settle) -> None:
        self.settle_effect(self.state.effect)
        if message.happened:
            self.state.results.append("looked up")
        self._go_on()

    def _go_on(self) -> None:
        done = len(self.state.results)
        self.view("plan", "plan", {"done": done, "of": self.state.steps})
        if done < self.state.steps:
            self.state.effect = self.effect(
                "step", Step(done + 1), then=self.done, on_interrupt=self.state.on_interrupt
            )


async def plan(path: Path, world: World, steps: int) -> None:
    """Begin the plan with a key, and settle what is unknown; without keys no step may be run again by guess."""
    on_interrupt = OnInterrupt.RERUN if world.takes_keys else OnInterrupt.UNKNOWN
    person = Person(path, world.ledger)

    async def step(request: object, context: EffectContext) -> str:
        assert isinstance(request, Step)
        return world.change(request.number, key=context.id)

    finished = f'{{"done":{steps},"of":{steps}}}'
    async with System(path, actors=[Planner], runners={"step": step}) as system:
        planner = system.ref(Planner, "plan")
        await planner.ask(Begin(steps, on_interrupt), key="begin")
        while True:
            view = await system.kernel.store.view("plan", "plan")
            told = "" if view is None else (view.body or b"").decode()
            if told == finished:
                return
            if told.startswith('{"unknown":'):
                number = int(told.removeprefix('{"unknown":').removesuffix("}"))
                await planner.ask(Settle(happened=person.looks_up(f"step {number}")))
            await asyncio.sleep(LOOK)
