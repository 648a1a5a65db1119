"""The result of a run is of the type that its agent answers in."""

from __future__ import annotations

from typing import TypedDict, assert_type

from attrs import evolve, frozen

from choragus.agents import Agent, Run, Runtime, ScriptedModel, run_sync


@frozen
class Report:
    title: str


class Sum(TypedDict):
    total: int


MODEL = ScriptedModel([])

plain = Agent("plain", model=MODEL)
reporter = Agent("reporter", model=MODEL, output=Report)
counter = Agent("counter", model=MODEL, output=list[int])
adder = Agent("adder", model=MODEL, output=Sum)

assert_type(plain, Agent[str])
assert_type(reporter, Agent[Report])
assert_type(evolve(reporter, repairs=0), Agent[Report])


async def results() -> None:
    async with Runtime(agents=[plain, reporter, counter, adder]) as runtime:
        run = await runtime.start(reporter, "Go.")
        assert_type(run, Run[Report])
        assert_type((await run.result()).title, str)
        assert_type(await (await runtime.start(plain, "Go.")).result(), str)
        assert_type(await (await runtime.start(counter, "Go.")).result(), list[int])
        child = await runtime.start(adder, "Go.", parent=run)
        assert_type(await child.result(), Sum)
        text: str = await run.result()  # error: assignment
        again: Run[Report] = await runtime.run(run.id)
        del text, again


def in_plain_code() -> None:
    assert_type(run_sync(reporter, "Go."), Report)
    assert_type(run_sync(plain, "Go."), str)


def odd() -> None:
    Agent("odd", model=MODEL, output=Report("no class"))  # error: arg-type


def any_run(run: Run[object]) -> str:
    return run.id


async def of_any(runtime: Runtime) -> None:
    any_run(await runtime.start(reporter, "Go."))
