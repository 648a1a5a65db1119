"""A run that is recorded once and replayed for ever, and what is seen when somebody changes the prompt.

`ask_provider` stands for a model that costs money and `rate` for a service that is not there in CI. Both are called
while the recording is made, and never again. Nothing here needs a key or a network.
"""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import anyio
from attrs import evolve

from choragus.agents import Agent, FunctionModel, ModelReply, ModelRequest, Runtime, ToolCall, tool
from choragus.agents.testing import ReplayDrift, recorded

GOAL = "How much is 20 EUR in NOK?"


@tool(risk="read")
def rate(currency: str) -> float:
    """The rate of a currency, to the euro."""
    print("  (the bank is asked)")
    return 11.5


def ask_provider(request: ModelRequest) -> ModelReply:
    """Ask for the rate, then answer by it."""
    print("  (the provider is asked)")
    read = [message.text for message in request.messages if message.role == "tool"]
    if not read:
        return ModelReply(calls=(ToolCall("1", "rate", {"currency": "NOK"}),))
    return ModelReply(text=f"{20 * float(read[0]):g} NOK")


changer = Agent("changer", model=FunctionModel(ask_provider, name="big"), prompt="Be brief.", tools=[rate])


async def result(agent: Agent) -> str:
    """What a test does with the agent, whether it is recorded, replayed or neither."""
    async with Runtime(agents=[agent]) as runtime:
        return await (await runtime.start(agent, GOAL)).result()


async def main(file: Path) -> None:
    """Record, replay, drift."""
    print("recorded:")
    with recorded(changer, file, mode="record") as agent:  # in a test: CHORAGUS_RECORD=1 pytest
        print(f"  {await result(agent)}")

    print("replayed:")
    with recorded(changer, file) as agent:
        print(f"  {await result(agent)}")

    print("replayed with another prompt:")
    try:
        with recorded(evolve(changer, prompt="Be polite."), file) as agent:
            await result(agent)
    except ReplayDrift as drift:
        print(str(drift).replace(str(file), file.name))


if __name__ == "__main__":
    try:
        with TemporaryDirectory() as folder:
            anyio.run(main, Path(folder) / "rate.json")
    except KeyboardInterrupt:
        sys.exit("stopped by Ctrl-C")
